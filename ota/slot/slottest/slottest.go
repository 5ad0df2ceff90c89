// SPDX-License-Identifier: Apache-2.0

// Package slottest is what every back end of package slot must do: [Run] in its tests. [Kind] is a boot loader on a disk in memory, which
// the updater's own tests cut the power of.
package slottest

import (
	"errors"
	"fmt"

	"github.com/nightjar-cam/nightjar/ota/block"
	"github.com/nightjar-cam/nightjar/ota/block/blocktest"
	"github.com/nightjar-cam/nightjar/ota/slot"
)

// Board is a board with its boot loader, from one loss of power to the next.
type Board interface {
	// Start is a start of the board: the boot loader chooses a slot. Loads says whether a slot holds something that starts. An error
	// means that the board does not start: it is a brick.
	Start(loads func(slot.Slot) bool) (slot.Slot, error)
	// Backend is the back end of the system that runs in slot booted.
	Backend(booted slot.Slot) slot.Backend
	// Restart is what the running system's restart with an argument does to the boot loader. A crash calls nothing.
	Restart(arg string)
}

// Kind is a kind of boot loader.
type Kind struct {
	Name string
	Size int64 // bytes of its own state, at the beginning of the disk
	// Format writes the state of a new board, on which slot A runs and is the default.
	Format func(d block.Device) error
	// Power returns the board on a disk, when its power comes; state has Size bytes.
	Power func(state block.Device, s Storage) Board
	// Fragile says which bytes of the state, if one of their bits flips, keep any board from starting; nil for none.
	Fragile func(off int64) bool
}

// Sizes of a slot's pieces in the tests, in bytes.
const (
	BootSize = 2 << 10
	RootSize = 6 << 10
	SlotSize = BootSize + RootSize
)

// Disk returns a new disk: the boot loader's state, room for extra bytes, and the slots. See [Slots].
func (k Kind) Disk(extra int64) (*blocktest.Disk, error) {
	d := blocktest.New(k.Size + extra + 2*SlotSize)
	state, err := block.Part(d, 0, k.Size)
	if err != nil {
		return nil, err
	}
	return d, k.Format(state)
}

// On returns the board of such a disk when its power comes.
func (k Kind) On(d block.Device) Board {
	state, err := block.Part(d, 0, k.Size)
	if err != nil {
		panic(err)
	}
	return k.Power(state, Slots(d))
}

// Slots are the two slots at the end of a disk.
func Slots(d block.Device) Storage { return Storage{d} }

// Storage opens pieces of the slots.
type Storage struct{ d block.Device }

// Parts are "boot" and "root".
func (Storage) Parts() []string { return []string{"boot", "root"} }

// At returns where a slot begins on its disk.
func (st Storage) At(s slot.Slot) int64 { return st.d.Size() - int64(2-s)*SlotSize }

// Open opens a piece of a slot.
func (st Storage) Open(s slot.Slot, part string, write bool) (slot.Device, error) {
	at, size := st.At(s), int64(BootSize)
	switch part {
	case "boot":
	case "root":
		at, size = at+BootSize, RootSize
	default:
		return nil, fmt.Errorf("open %.20q: a slot has boot and root", part)
	}
	p, err := block.Part(st.d, at, size)
	return piece{p, write}, err
}

type piece struct {
	block.Device
	write bool
}

func (piece) Close() error { return nil }

var errReadOnly = errors.New("opened for reading")

func (p piece) WriteAt(b []byte, off int64) (int, error) {
	if !p.write {
		return 0, errReadOnly
	}
	return p.Device.WriteAt(b, off)
}
