// SPDX-License-Identifier: Apache-2.0

// Package clock tells the wall time and how far it can be trusted. A board often has no
// battery-backed clock, so every wall time carries a [Quality]; durations are never taken from it.
// Start with [System], or with a [Fake] in tests; [NewTold] is a clock that the hub puts right, over an [OpenFloor] that
// survives a loss of power.
package clock

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Quality says how far a wall time can be trusted.
type Quality string

const (
	Unset  Quality = "unset"  // before the floor: the clock was never set since the board started
	Free   Quality = "free"   // running, not known to be synchronised
	Hub    Quality = "hub"    // said by the hub, within what can be true
	Synced Quality = "synced" // the kernel's clock is disciplined by a time source
)

// Wall is a guess of the wall time.
type Wall struct {
	Time    time.Time
	Quality Quality
}

// Clock tells the wall time. Now may be called from any goroutine.
type Clock interface {
	Now() Wall
}

// System returns the machine's clock. A time before floor, such as the time of the build, has the quality [Unset].
func System(floor time.Time) Clock { return system{floor, unix.Adjtimex} }

type system struct {
	floor    time.Time
	adjtimex func(*unix.Timex) (state int, err error)
}

func (s system) Now() Wall {
	now := time.Now()
	switch {
	case now.Before(s.floor):
		return Wall{now, Unset}
	case s.synchronised():
		return Wall{now, Synced}
	}
	return Wall{now, Free}
}

// synchronised asks the kernel by adjtimex(2), read-only: TIME_ERROR means that no time source disciplines the clock.
func (s system) synchronised() bool {
	state, err := s.adjtimex(&unix.Timex{})
	return err == nil && state != unix.TIME_ERROR
}

// Fake is a clock that stands at W until Set. The zero value stands at the zero time.
type Fake struct {
	mu sync.Mutex
	w  Wall
}

var _ Clock = (*Fake)(nil)

// Now implements [Clock].
func (f *Fake) Now() Wall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.w
}

// Set makes the clock stand at w.
func (f *Fake) Set(w Wall) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w = w
}

// BootID returns an id that is new with each start of the machine, and the same within one. Where the
// kernel tells none, it is random once for each process.
var BootID = sync.OnceValue(func() string {
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		if id := strings.TrimSpace(string(b)); id != "" {
			return id
		}
	}
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
})
