// SPDX-License-Identifier: Apache-2.0

// Package state is what an updater remembers over restarts and power cuts. [Open] finds the newest [Record] on its device, [Store.Save]
// writes the next one, and [Reconcile] says what to do with a record and with what the boot loader really did.
package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/nightjar-cam/nightjar/ota/block"
	"github.com/nightjar-cam/nightjar/ota/slot"
)

// Phase is how far an update is.
type Phase uint8

// The phases, in the order of an update that goes well; RollingBack and Failed are the other end.
const (
	Idle        Phase = iota // nothing was ever updated
	Fetching                 // the target is being written
	Verified                 // the target reads back as what was signed
	Armed                    // the next restart is to try the target
	Trial                    // the target runs, and has to show that it works
	Committing               // it does; it is being made the default
	Committed                // it is the default
	RollingBack              // it does not; the board is being restarted into the former
	Failed                   // the former runs, and the reason says why
	phases
)

var phaseNames = [phases]string{"idle", "fetching", "verified", "armed", "trial", "committing", "committed", "rolling-back", "failed"}

// String returns the phase's name.
func (p Phase) String() string {
	if p >= phases {
		return fmt.Sprintf("phase %d", uint8(p))
	}
	return phaseNames[p]
}

// Settled says that no update is under way.
func (p Phase) Settled() bool { return p == Idle || p == Committed || p == Failed }

// MaxParts bounds the pieces of a slot.
const MaxParts = 4

// Bounds of the texts of a record, in bytes; longer ones are cut.
const (
	MaxVersion = 63
	MaxHad     = 127
	MaxReason  = 175
)

// Record is what is remembered of the update under way, or of the last one. The zero Record is Idle.
type Record struct {
	Seq     uint64 // counts up with each Save
	Phase   Phase
	Target  slot.Slot        // the slot that is, or was, updated
	Tries   uint8            // how often a trial was asked for
	Starts  uint8            // how often the updater started while the target ran uncommitted
	Image   [32]byte         // what is installed: the SHA-256 of the bundle's index
	Sum     [32]byte         // since Verified: SHA-256 over the target's parts, one after the other
	Sizes   [MaxParts]uint64 // since Verified: bytes of each part
	Counter uint64           // its release counter
	Floor   uint64           // the highest counter that was ever committed: no lower one is installed
	Version string           // its name for people
	Had     []string         // names of the checks that passed before the trial, and have to pass in it
	Reason  string           // why it failed
}

var magic = [8]byte{'n', 'j', 'u', 'p', 'd', 't', 0, 1}

const crcAt = block.Sector - 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode lays a record out in one sector, so that a disk writes it whole or not at all.
func (r Record) Encode() []byte {
	b := make([]byte, 0, block.Sector)
	b = append(b, magic[:]...)
	b = binary.LittleEndian.AppendUint64(b, r.Seq)
	b = append(b, byte(r.Phase), byte(r.Target), r.Tries, r.Starts)
	b = append(b, r.Image[:]...)
	b = append(b, r.Sum[:]...)
	for _, n := range r.Sizes {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = binary.LittleEndian.AppendUint64(b, r.Counter)
	b = binary.LittleEndian.AppendUint64(b, r.Floor)
	b = appendText(b, r.Version, MaxVersion)
	b = appendText(b, strings.Join(r.Had, ","), MaxHad)
	b = appendText(b, r.Reason, MaxReason)
	b = b[:crcAt]
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// appendText appends a length and so many bytes as fit in a field that always takes 1+size.
func appendText(b []byte, s string, size int) []byte {
	if len(s) > size {
		s = s[:size]
	}
	b = append(b, byte(len(s)))
	b = append(b, s...)
	return append(b, make([]byte, size-len(s))...)
}

// Decode reads what Encode wrote. Any other bytes are an error: the checksum covers all of the sector.
func Decode(b []byte) (Record, error) {
	if len(b) != block.Sector || !bytes.Equal(b[:len(magic)], magic[:]) {
		return Record{}, errors.New("no record")
	}
	if crc32.Checksum(b[:crcAt], castagnoli) != binary.LittleEndian.Uint32(b[crcAt:]) {
		return Record{}, errors.New("record with a wrong checksum")
	}
	var r Record
	b = b[len(magic):]
	number := func() uint64 {
		n := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return n
	}
	r.Seq = number()
	r.Phase, r.Target, r.Tries, r.Starts = Phase(b[0]), slot.Slot(b[1]), b[2], b[3]
	b = b[4:]
	b = b[copy(r.Image[:], b):]
	b = b[copy(r.Sum[:], b):]
	for i := range r.Sizes {
		r.Sizes[i] = number()
	}
	r.Counter, r.Floor = number(), number()
	text := func(size int) (string, error) {
		n := int(b[0])
		if n > size {
			return "", fmt.Errorf("record with a text of %d bytes, at most %d", n, size)
		}
		s := string(b[1 : 1+n])
		b = b[1+size:]
		return s, nil
	}
	var had string
	var errs [3]error
	r.Version, errs[0] = text(MaxVersion)
	had, errs[1] = text(MaxHad)
	r.Reason, errs[2] = text(MaxReason)
	if err := errors.Join(errs[:]...); err != nil {
		return Record{}, err
	}
	if had != "" {
		r.Had = strings.Split(had, ",")
	}
	if r.Phase >= phases || r.Target > slot.B {
		return Record{}, fmt.Errorf("record of %s of slot %d", r.Phase, r.Target)
	}
	return r, nil
}
