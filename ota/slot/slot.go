// SPDX-License-Identifier: Apache-2.0

// Package slot is the two firmware slots of a board and what its boot loader does with them. A [Backend] speaks to one kind of boot
// loader: package sim to a simulated one, the only one so far. Package slottest is what all of them must do.
package slot

import (
	"errors"
	"fmt"

	"github.com/nightjar-cam/nightjar/ota/block"
)

// Slot is one of the two places for a firmware.
type Slot uint8

// The slots.
const (
	A Slot = iota
	B
)

// Other returns the other slot.
func (s Slot) Other() Slot { return s ^ 1 }

// String returns "a" or "b".
func (s Slot) String() string { return string(rune('a' + s&1)) }

// Flag is what a boot loader knows of the trial that it was asked for.
type Flag uint8

const (
	// None: no trial is asked for. A boot loader whose flag is volatile says it also when the power was cut, and when a trial was
	// begun and failed: it cannot tell them apart.
	None Flag = iota
	// Set: the next start tries the other slot.
	Set
	// Spent: a trial was asked for, and begun. Only a boot loader that counts on the medium can say it.
	Spent
)

// String returns the flag's name.
func (f Flag) String() string { return [...]string{"none", "set", "spent"}[f%3] }

// Caps are what a boot loader can do.
type Caps struct {
	Name     string // such as "simulator"
	Volatile bool   // the flag is lost with the power
	Fallback bool   // the other slot is started when the default one does not load
}

// Errors of a back end.
var (
	// ErrInUse says that a slot is the one that runs, or the one that starts by default: it is never written.
	ErrInUse = errors.New("slot is in use")
	// ErrState says that the boot loader's state cannot be read.
	ErrState = errors.New("the boot loader's state cannot be read")
)

// Backend is a board's boot loader, as the running system sees it. What it changes is on the medium, and read back, when it returns
// nil; after an error, or a power cut, it is as before or as asked. All calls may be repeated. One goroutine.
type Backend interface {
	// Caps says what the boot loader can do.
	Caps() Caps
	// Booted returns the slot that runs: by what the system was started with, never by what was asked for.
	Booted() (Slot, error)
	// Default returns the slot that starts when no trial is asked for.
	Default() (Slot, error)
	// Flag returns what is known of a trial of the slot that is not the default.
	Flag() (Flag, error)
	// Arm asks for one trial of s, which is not the default, at the next restart.
	Arm(s Slot) error
	// Disarm takes that back, and forgets a trial that was spent.
	Disarm() error
	// Commit makes s, which is the slot that runs, the default, and disarms.
	Commit(s Slot) error
	// Parts are the names of the pieces of a slot, in the order in which they are written: "boot", "root".
	Parts() []string
	// Open opens a piece of a slot that is neither running nor the default, for writing; else the error wraps [ErrInUse].
	// The slot that runs may be opened by [Backend.Read].
	Open(s Slot, part string) (Device, error)
	// Read opens a piece of any slot for reading: writing to it fails.
	Read(s Slot, part string) (Device, error)
	// RestartArgument is what the restart that begins a trial has to be called with; "" for nothing.
	RestartArgument() string
}

// Device is a piece of a slot. Close it.
type Device interface {
	block.Device
	Close() error
}

// Writable returns an error that wraps [ErrInUse] unless s may be written; back ends call it in Open.
func Writable(b Backend, s Slot) error {
	booted, err := b.Booted()
	if err != nil {
		return fmt.Errorf("which slot runs: %w", err)
	}
	def, err := b.Default()
	if err != nil {
		return fmt.Errorf("which slot starts by default: %w", err)
	}
	if s == booted || s == def {
		return fmt.Errorf("open slot %s (running: %s, default: %s) for writing: %w", s, booted, def, ErrInUse)
	}
	return nil
}
