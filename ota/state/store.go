// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"fmt"

	"github.com/nightjar-cam/nightjar/ota/block"
)

// copies are where the two sectors lie: in two blocks of 4 KiB, since a disk that works in such blocks may tear all of one.
var copies = [2]int64{0, 4096}

// Size is how many bytes of a device a store takes.
const Size = 8192

// Store keeps the newest record in one of two sectors, and writes the next one over the other: a cut leaves the former or the new
// one. One goroutine.
type Store struct {
	d     block.Device
	now   Record
	newer int // the copy that holds now
	lost  error
}

// Open reads the records of a device of at least [Size] bytes. A device without a record gives one that is Idle: it is new, or both
// copies are damaged, and then [Store.Lost] says so. An error means that it cannot be read.
func Open(d block.Device) (*Store, error) {
	if d.Size() < Size {
		return nil, fmt.Errorf("state of the updater: the device has %d bytes, want %d", d.Size(), Size)
	}
	s := &Store{d: d, newer: 1}
	found, damaged := false, 0
	for i, at := range copies {
		b := make([]byte, block.Sector)
		if _, err := d.ReadAt(b, at); err != nil {
			return nil, fmt.Errorf("read the state of the updater: %w", err)
		}
		r, err := Decode(b)
		if err != nil {
			if !bytes.Equal(b, make([]byte, block.Sector)) {
				damaged++
				s.lost = err
			}
			continue
		}
		if !found || r.Seq > s.now.Seq {
			s.now, s.newer, found = r, i, true
		}
	}
	if found || damaged < len(copies) {
		s.lost = nil // one damaged copy is what a cut leaves, of the first record too
	}
	return s, nil
}

// Record returns the newest record.
func (s *Store) Record() Record { return s.now }

// Lost returns why there is no record, if there was one.
func (s *Store) Lost() error { return s.lost }

// Save makes r the newest record, with the next number: on the medium and read back, when it returns nil. After an error the record is
// the former or r; Save it again.
func (s *Store) Save(r Record) error {
	r.Seq = s.now.Seq + 1
	to := 1 - s.newer
	if err := block.WriteSector(s.d, r.Encode(), copies[to]); err != nil {
		return fmt.Errorf("save the state of the updater (%s): %w", r.Phase, err)
	}
	s.now, s.newer = r, to
	return nil
}
