// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// size is of a test's clip, and of its details: more than is ever on its way at a time.
const size = 4 * mostFlight

// soon is within what a camera has to find out that its hub is gone.
const soon = 15 * time.Second

// phases are where a hub may go silent.
var phases = map[string]func(*bubble){
	"tcp":       func(b *bubble) { b.hangIn = "tcp" },
	"tls":       func(b *bubble) { b.hangIn = "tls" },
	"connect":   func(b *bubble) { b.hangIn = "connect" },
	"subscribe": func(b *bubble) { b.hangIn = "subscribe" },
	"offer":     func(b *bubble) { b.hangAt = wire.UpOffer },
	"mid-clip":  func(b *bubble) { b.hangAt = wire.UpChunk },
	"idle":      func(b *bubble) {},
}

// noticed is how long a session takes to see that the hub went silent in a phase; ok is false if it does not within a minute.
func noticed(t *testing.T, phase string, silence time.Duration) (after time.Duration, ok bool) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, wanting)
		b.session.silence = silence
		if phase != "idle" {
			b.clip(size)
		}
		b.set(func() { phases[phase](b) })
		b.run()
		if phase == "idle" {
			time.Sleep(20 * time.Second) // between two pings
			b.set(b.hang)
		}
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if st := b.session.Status(); st.Err != nil && !st.Connected {
				after, ok = time.Since(b.hung), true
				return
			}
		}
		if b.set(func() {}); b.hung.IsZero() {
			t.Fatal("the hub did not hang: nothing is tested")
		}
	})
	return after, ok
}

func TestSilentHubIsNoticed(t *testing.T) {
	for _, phase := range slices.Sorted(maps.Keys(phases)) {
		t.Run(phase, func(t *testing.T) {
			after, ok := noticed(t, phase, silence)
			if !ok || after > soon {
				t.Errorf("noticed: %v, after %v", ok, after)
			}
			t.Logf("noticed after %v", after.Round(100*time.Millisecond))
		})
	}
}

// Without the watch on the connection, a hub that froze with a chunk in front of it is not noticed in a minute.
func TestMutantSilentHubIsNotNoticed(t *testing.T) {
	for _, phase := range []string{"mid-clip", "idle"} {
		if after, ok := noticed(t, phase, 0); ok {
			t.Errorf("%s: noticed after %v without the watch: the test above proves nothing", phase, after)
		}
	}
}

// A hub that works on one message for a minute reads nothing and answers no pings. It says that it lives.
func TestBusyHubIsNotTakenForDead(t *testing.T) {
	for name, tells := range map[string]bool{"": true, "mutant: it does not say so": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, wanting)
				b.busy, b.tells = time.Minute, tells
				b.clip(1)
				b.run()
				time.Sleep(3*time.Minute + time.Second)
				b.set(func() { b.busy, b.answer = 0, stored })
				if n := len(b.attempts()); (n == 1) != tells {
					t.Errorf("%d connections", n)
				}
				time.Sleep(longest)
				if b.waiting() != 0 {
					t.Error("the clip is not stored")
				}
			})
		})
	}
}

// A link of 64 kbit/s is slow, and not dead.
func TestSlowLinkIsNotTakenForDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, wanting)
		b.rate = 8000
		b.clip(size)
		b.run()
		time.Sleep((2*size/8000 + 60) * time.Second)
		if n := len(b.take(wire.UpChunk)); n < 2*size/mostChunk {
			t.Errorf("%d chunks have arrived", n)
		}
		b.set(func() { b.answer = stored })
		if n := len(b.attempts()); n != 1 {
			t.Errorf("%d connections", n)
		}
		time.Sleep(longest)
		if b.waiting() != 0 {
			t.Error("the clip is not stored")
		}
	})
}

// The end of the program does not wait for a hub that takes nothing.
func TestStopAgainstFrozenHub(t *testing.T) {
	for _, phase := range slices.Sorted(maps.Keys(phases)) {
		t.Run(phase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, wanting)
				b.clip(size)
				b.set(func() { phases[phase](b) })
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- b.session.Run(ctx) }()
				time.Sleep(3 * time.Second)
				if phase == "idle" {
					b.set(b.hang)
				}
				start := time.Now()
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if d := time.Since(start); d > 2*time.Second {
					t.Errorf("took %v to stop", d)
				}
				for _, e := range b.ends {
					e.Close()
				}
			})
		})
	}
}
