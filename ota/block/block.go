// SPDX-License-Identifier: Apache-2.0

// Package block reads and writes what an update is written to: a partition, a part of one, or a file of fixed size. Start with
// [Open], or [OpenDirect] for the few sectors that a boot loader reads; [Part] is a window. Package blocktest has a disk in memory
// that loses power.
package block

import (
	"errors"
	"fmt"
	"io"
)

// Sector is what a disk writes whole or not at all, in bytes.
const Sector = 512

// Device is a piece of storage of fixed size. Offsets are in bytes. What was written is certain to be there after a power cut only
// when a later Sync returned nil; without it each sector may be there or not, in any order. One goroutine at a time.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Size() int64
}

// ErrRange says that a piece of a device lies outside of it.
var ErrRange = errors.New("outside of the device")

// Part returns the piece of a device that begins at off and has size bytes. It wraps [ErrRange] when the device is shorter.
func Part(d Device, off, size int64) (Device, error) {
	if off < 0 || size < 0 || off > d.Size()-size {
		return nil, fmt.Errorf("%d bytes at %d of %d: %w", size, off, d.Size(), ErrRange)
	}
	return &part{d, off, size}, nil
}

type part struct {
	d         Device
	off, size int64
}

func (p *part) Size() int64 { return p.size }

// Sync of a part is that of the device, unless it keeps its parts apart, as a kernel does with partitions.
func (p *part) Sync() error { return p.SyncRange(0, p.size) }

func (p *part) SyncRange(off, size int64) error {
	if d, ok := p.d.(interface{ SyncRange(off, size int64) error }); ok {
		return d.SyncRange(p.off+off, size)
	}
	return p.d.Sync()
}

func (p *part) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off > p.size {
		return 0, fmt.Errorf("read at %d of %d: %w", off, p.size, ErrRange)
	}
	short := int64(len(b)) > p.size-off
	if short {
		b = b[:p.size-off]
	}
	n, err := p.d.ReadAt(b, p.off+off)
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

func (p *part) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || int64(len(b)) > p.size-off {
		return 0, fmt.Errorf("write %d bytes at %d of %d: %w", len(b), off, p.size, ErrRange)
	}
	return p.d.WriteAt(b, p.off+off)
}

// WriteSector writes one sector at off, has it on the medium, and reads it back: what a boot loader or a restart will read.
// The error wraps [ErrChanged] when other bytes come back.
func WriteSector(d Device, b []byte, off int64) error {
	if len(b) != Sector {
		return fmt.Errorf("write a sector: %d bytes, want %d", len(b), Sector)
	}
	if _, err := d.WriteAt(b, off); err != nil {
		return fmt.Errorf("write sector at %d: %w", off, err)
	}
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync sector at %d: %w", off, err)
	}
	back := make([]byte, Sector)
	if _, err := d.ReadAt(back, off); err != nil {
		return fmt.Errorf("read back sector at %d: %w", off, err)
	}
	if string(back) != string(b) {
		return fmt.Errorf("sector at %d: %w", off, ErrChanged)
	}
	return nil
}

// ErrChanged says that a medium returned other bytes than were written.
var ErrChanged = errors.New("reads back as something else: the card is worn out or counterfeit")
