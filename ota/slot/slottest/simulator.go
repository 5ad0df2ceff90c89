// SPDX-License-Identifier: Apache-2.0

package slottest

import (
	"fmt"

	"github.com/nightjar-cam/nightjar/ota/block"
	"github.com/nightjar-cam/nightjar/ota/slot"
	"github.com/nightjar-cam/nightjar/ota/slot/sim"
)

// Simulator is package sim's boot loader.
func Simulator(volatile, fallback bool) Kind {
	return Kind{
		Name:   fmt.Sprintf("simulator volatile=%t fallback=%t", volatile, fallback),
		Size:   sim.Size,
		Format: sim.Format,
		Power: func(state block.Device, s Storage) Board {
			return &simulated{sim.Loader{Volatile: volatile, Fallback: fallback, RAM: &sim.RAM{}}, state, s}
		},
		Fragile: func(off int64) bool { return off < block.Sector }, // one copy of the selector, as a Raspberry Pi has
	}
}

type simulated struct {
	l     sim.Loader
	state block.Device
	s     Storage
}

func (b *simulated) Start(loads func(slot.Slot) bool) (slot.Slot, error) {
	return b.l.Start(b.state, loads)
}

func (b *simulated) Backend(booted slot.Slot) slot.Backend {
	return sim.Open(b.l, b.state, booted, b.s)
}

func (b *simulated) Restart(string) {}
