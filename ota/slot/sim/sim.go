// SPDX-License-Identifier: Apache-2.0

// Package sim is a boot loader in software, with the semantics of real ones, on any device: for demonstrations and tests of updates on
// machines that have none. Start with [Format], then [Loader.Start], which is what the board's power switch does, and [Open].
package sim

import (
	"bytes"
	"fmt"
	"hash/crc32"

	"github.com/nightjar-cam/nightjar/ota/block"
	"github.com/nightjar-cam/nightjar/ota/slot"
)

// Size is how many bytes of a device the boot loader's own state takes: a sector that says which slot starts by default, and one for a
// trial that is counted on the medium.
const Size = 2 * block.Sector

const (
	selectorAt = 0
	flagAt     = block.Sector
)

// selector is the sector that starts slot s. Two selectors differ in one byte, so that a sector torn anywhere is one of them.
func selector(s slot.Slot) []byte {
	return append([]byte("nightjar simulated boot loader: default="+s.String()+"\n"), make([]byte, block.Sector-42)...)
}

func parseSelector(b []byte) (slot.Slot, error) {
	for _, s := range []slot.Slot{slot.A, slot.B} {
		if bytes.Equal(b, selector(s)) {
			return s, nil
		}
	}
	return 0, fmt.Errorf("selector: %w", slot.ErrState)
}

// flags are what the second sector says; a damaged one says nothing.
var flags = map[slot.Flag]string{slot.None: "trial: none", slot.Set: "trial: left", slot.Spent: "trial: spent"}

func flagSector(f slot.Flag) []byte {
	b := make([]byte, block.Sector)
	n := copy(b, flags[f])
	sum := crc32.ChecksumIEEE(b[:n])
	copy(b[n:], fmt.Sprintf(" %08x\n", sum))
	return b
}

func parseFlag(b []byte) slot.Flag {
	for f := range flags {
		if bytes.Equal(b, flagSector(f)) {
			return f
		}
	}
	return slot.None
}

// Format makes slot A the default.
func Format(d block.Device) error {
	if err := block.WriteSector(d, selector(slot.A), selectorAt); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	if err := block.WriteSector(d, flagSector(slot.None), flagAt); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	return nil
}

// RAM is what a board remembers over a restart and not without power: the flag of a boot loader whose flag is volatile.
type RAM struct{ Try bool }

// Loader is the boot loader.
type Loader struct {
	// Volatile keeps the flag in RAM, as a Raspberry Pi does; else it is counted on the medium before the trial, as by U-Boot.
	Volatile bool
	// Fallback starts the other slot when the one that is chosen does not load.
	Fallback bool
	RAM      *RAM
}

// Start is a start of the board: it chooses a slot, spends the flag, and returns the slot that runs. Loads says whether a slot has
// something that starts; an error means that the board does not start.
func (l Loader) Start(d block.Device, loads func(slot.Slot) bool) (slot.Slot, error) {
	both := make([]byte, Size)
	if _, err := d.ReadAt(both, 0); err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	s, err := parseSelector(both[:block.Sector])
	if err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	if l.Volatile {
		if l.RAM.Try {
			s = s.Other()
		}
		l.RAM.Try = false
	} else if parseFlag(both[flagAt:]) == slot.Set {
		// Spent before the trial: one that hangs, or is cut, is none that is left. What cannot be spent is not tried.
		if block.WriteSector(d, flagSector(slot.Spent), flagAt) == nil {
			s = s.Other()
		}
	}
	if !loads(s) {
		if !l.Fallback || !loads(s.Other()) {
			return 0, fmt.Errorf("start: slot %s does not load", s)
		}
		s = s.Other()
	}
	return s, nil
}

// Storage opens the pieces of the slots.
type Storage interface {
	Parts() []string
	Open(s slot.Slot, part string, write bool) (slot.Device, error)
}

type backend struct {
	Loader
	Storage
	d      block.Device
	booted slot.Slot
}

// Open returns the back end of a system that was started in slot booted; d holds the loader's state.
func Open(l Loader, d block.Device, booted slot.Slot, s Storage) slot.Backend {
	return &backend{l, s, d, booted}
}

func (b *backend) Caps() slot.Caps {
	return slot.Caps{Name: "simulator", Volatile: b.Volatile, Fallback: b.Fallback}
}

func (b *backend) Booted() (slot.Slot, error) { return b.booted, nil }

func (b *backend) Default() (slot.Slot, error) {
	sector, err := b.read(selectorAt)
	if err != nil {
		return 0, err
	}
	return parseSelector(sector)
}

func (b *backend) read(at int64) ([]byte, error) {
	sector := make([]byte, block.Sector)
	if _, err := b.d.ReadAt(sector, at); err != nil {
		return nil, fmt.Errorf("%w: %w", slot.ErrState, err)
	}
	return sector, nil
}

func (b *backend) Flag() (slot.Flag, error) {
	if b.Volatile {
		if b.RAM.Try {
			return slot.Set, nil
		}
		return slot.None, nil
	}
	sector, err := b.read(flagAt)
	if err != nil {
		return 0, err
	}
	return parseFlag(sector), nil
}

func (b *backend) set(f slot.Flag) error {
	if b.Volatile {
		b.RAM.Try = f == slot.Set
		return nil
	}
	if was, err := b.Flag(); err == nil && was == f {
		return nil
	}
	return block.WriteSector(b.d, flagSector(f), flagAt)
}

func (b *backend) Arm(s slot.Slot) error {
	def, err := b.Default()
	if err != nil {
		return fmt.Errorf("arm slot %s: %w", s, err)
	}
	if s == def {
		return fmt.Errorf("arm slot %s, the default: %w", s, slot.ErrInUse)
	}
	return b.set(slot.Set)
}

func (b *backend) Disarm() error { return b.set(slot.None) }

func (b *backend) Commit(s slot.Slot) error {
	if s != b.booted {
		return fmt.Errorf("commit slot %s, which does not run: %w", s, slot.ErrInUse)
	}
	// The flag first: behind the change it would mean a trial of the former.
	if err := b.Disarm(); err != nil {
		return fmt.Errorf("commit slot %s: %w", s, err)
	}
	if def, err := b.Default(); err == nil && def == s {
		return nil
	}
	if err := block.WriteSector(b.d, selector(s), selectorAt); err != nil {
		return fmt.Errorf("commit slot %s: %w", s, err)
	}
	return nil
}

func (b *backend) Open(s slot.Slot, part string) (slot.Device, error) {
	if err := slot.Writable(b, s); err != nil {
		return nil, err
	}
	return b.Storage.Open(s, part, true)
}

func (b *backend) Read(s slot.Slot, part string) (slot.Device, error) {
	return b.Storage.Open(s, part, false)
}

func (b *backend) RestartArgument() string { return "" }
