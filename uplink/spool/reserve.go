// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
)

// reserveBlock is how many numbers are reserved at a time: a write to the second place every so many records.
const reserveBlock = 1024

// ErrNoMark is returned when neither the spool nor the reserve file tells which numbers were used. Going on could sign two
// records of one number, which looks as if the key had been copied.
var ErrNoMark = errors.New("the spool and the file of reserved record numbers are both damaged: remove both and enrol the camera anew, under a new name")

// reserve makes sure that the number is reserved before a record is signed with it. The caller holds write.
func (s *Spool) reserve(seq uint64) error {
	if s.cfg.Reserve == "" || seq <= s.mark {
		return nil
	}
	mark := seq - 1 + reserveBlock
	if err := s.replaceFile(s.cfg.Reserve, encodeMark(mark)); err != nil {
		return fmt.Errorf("reserve record numbers: %w", err)
	}
	s.mark = mark
	return nil
}

// readMark takes the mark from its file; 0 when there is none.
func (s *Spool) readMark() (uint64, error) {
	if s.cfg.Reserve == "" {
		return 0, nil
	}
	// What the last process left durable because it is seen: we rely on it.
	if err := s.disk.MkdirAll(filepath.Dir(s.cfg.Reserve)); err != nil {
		return 0, err
	}
	if err := s.disk.SyncDir(filepath.Dir(s.cfg.Reserve)); err != nil {
		return 0, err
	}
	b, err := s.disk.ReadFile(s.cfg.Reserve, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return decodeMark(b)
}

// encodeMark writes the mark twice, as "MARK MARK\n": a damaged digit must not pass for a lower mark.
func encodeMark(mark uint64) []byte { return fmt.Appendf(nil, "%d %d\n", mark, mark) }

func decodeMark(b []byte) (uint64, error) {
	number, _, _ := bytes.Cut(b, []byte(" "))
	mark, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil || mark == 0 || !bytes.Equal(b, encodeMark(mark)) {
		return 0, errDamaged
	}
	return mark, nil
}

// errDamaged says that the content of a file is none that was ever written.
var errDamaged = errors.New("the file is damaged")

// place decides from which number the chain goes on, once head and queue were read. A head that is lost, or that a store which
// went back in time shows again, is made up for by the mark: the numbers between are missing then, which the chain's reader sees
// and which is the truth.
func (s *Spool) place(headErr error) error {
	mark, markErr := s.readMark()
	s.mark = mark
	mark = max(mark, s.floor)
	var last uint64
	if n := len(s.entries); n > 0 {
		last = s.entries[n-1].Seq
	}
	// The mark is never more than a block above the last record, unless that record is gone.
	back := mark > max(s.seq, last)+reserveBlock || s.floor > max(s.seq, last)
	switch {
	case headErr == nil && !back:
		if markErr != nil && !errors.Is(markErr, errDamaged) {
			return fmt.Errorf("read reserved record numbers: %w", markErr)
		}
		if markErr != nil { // the head is sound: the mark is only written anew
			s.aside = append(s.aside, fmt.Errorf("%s was damaged and is written anew", s.cfg.Reserve))
		}
		if last > s.seq {
			s.seq, s.last = last, s.entries[len(s.entries)-1].Record
		}
		return nil
	case errors.Is(headErr, fs.ErrNotExist) && mark == 0 && markErr == nil:
		// Nothing was ever reserved: a new spool, or one from before there was a mark. A head of number 0 tells it from one that
		// lost its head, from now on.
		if last > 0 {
			s.seq, s.last = last, s.entries[len(s.entries)-1].Record
		} else if s.cfg.Reserve != "" {
			return s.writeHead()
		}
		return nil
	case s.cfg.Reserve == "" || s.cfg.StoreLost == nil:
		return fmt.Errorf("read the chain's head: %w", headErr)
	case markErr != nil && !errors.Is(markErr, errDamaged):
		return fmt.Errorf("read reserved record numbers: %w", markErr)
	case mark == 0: // damaged, or not there beside a damaged head
		return ErrNoMark
	}
	s.seq, s.last = max(mark, last), nil
	s.lost = true
	return nil
}
