// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// longest is the longest that the pauses of a session last.
var longest = max(usual.lastHold, usual.lastRetry) * 3 / 2

// A hub that is away is looked for more and more rarely, but never given up, and not by all cameras in step.
func TestHubAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const away = 2 * time.Hour
		cameras := []*bubble{newBubble(t, stored), newBubble(t, stored)}
		for _, b := range cameras {
			b.down = true
			b.clip(1)
			b.run()
		}
		time.Sleep(away)
		for _, b := range cameras {
			b.set(func() { b.down = false })
			mean := int(away / usual.lastRetry)
			if n := len(b.attempts()); n < mean/2 || n > mean*2 {
				t.Errorf("%d attempts in %v", n, away)
			}
			for i, gap := range gaps(b.attempts()) {
				if gap < usual.firstRetry/2 || gap > usual.lastRetry*3/2 {
					t.Errorf("attempt %d comes %v after the one before", i+1, gap)
				}
			}
		}
		if slices.Equal(cameras[0].attempts(), cameras[1].attempts()) {
			t.Error("two cameras come in step")
		}
		time.Sleep(longest)
		for _, b := range cameras {
			if b.waiting() != 0 || !b.session.Status().Connected {
				t.Errorf("the hub is back, and %d clips wait: %+v", b.waiting(), b.session.Status())
			}
		}
	})
}

// A hub that hangs keeps the connection open. Whatever is on its way to it then, the camera sees it and connects anew.
func TestHubHangs(t *testing.T) {
	for name, hang := range map[string]func(*bubble){
		"idle":                         func(b *bubble) { b.hang() },
		"while an offer is on its way": func(b *bubble) { b.hangAt = wire.UpOffer },
		"while more is on its way than buffers hold": func(b *bubble) { b.hangAt = wire.UpChunk },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, wanting)
				b.run()
				time.Sleep(time.Second)
				b.set(func() { hang(b) })
				if name != "idle" {
					b.clip(mostFlight)
				}
				time.Sleep(time.Second)
				b.set(func() { b.answer = stored })
				time.Sleep(2 * time.Minute)
				// The broker may lose a client that takes over from a frozen connection of its own: see errDeaf.
				if n := len(b.attempts()); n < 2 || n > 3 || b.waiting() != 0 || !b.session.Status().Connected {
					t.Errorf("after two minutes: %d connections, %d clips wait, %+v", n, b.waiting(), b.session.Status())
				}
			})
		})
	}
}

// A broker that answers pings, but acknowledges no chunk, gets few of them, and then another connection.
func TestNothingIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, wanting)
		b.mute = true
		b.clip(mostFlight)
		b.run()
		time.Sleep(stall - time.Second)
		if n := len(b.take(wire.UpChunk)); n == 0 || n*leastChunk > leastFlight {
			t.Errorf("%d chunks are on their way, want at most %d bytes", n, leastFlight)
		}
		if n := len(b.attempts()); n != 1 {
			t.Errorf("%d connections before the broker had its time", n)
		}
		time.Sleep(time.Minute)
		if n := len(b.attempts()); n != 2 {
			t.Errorf("%d connections, want another", n)
		}
		b.set(func() { b.mute, b.answer = false, stored })
		time.Sleep(stall + longest)
		if b.waiting() != 0 {
			t.Error("the clip is not stored, though the hub would")
		}
	})
}

// An entry that the hub says nothing to is offered a few times, then the next one has its turn.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nothing)
		b.clip(1)
		b.clip(2)
		b.run()
		time.Sleep(2*offers*usual.patience - time.Second)
		heard := b.take(wire.UpOffer)
		if got, want := seqs(heard), []uint64{1, 1, 1, 2, 2, 2}; !slices.Equal(got, want) {
			t.Fatalf("offered %v, want %v", got, want)
		}
		for _, gap := range gaps(times(heard)) {
			if gap != usual.patience {
				t.Errorf("next offer after %v", gap)
			}
		}
	})
}

// A refused entry is offered again more and more rarely, but never given up.
func TestRefusedPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, refusing)
		b.clip(1)
		b.run()
		time.Sleep(2 * time.Hour)
		pauses := gaps(times(b.take(wire.UpOffer)))
		for i, pause := range pauses {
			mean := min(usual.firstHold<<min(i, 10), usual.lastHold)
			if pause < mean/2 || pause > mean*3/2 {
				t.Errorf("pause %d is %v, want about %v", i, pause, mean)
			}
		}
		if least := int(2 * time.Hour / longest); len(pauses) < least {
			t.Errorf("%d pauses, want at least %d", len(pauses), least)
		}
		b.set(func() { b.answer = stored })
		time.Sleep(longest)
		if b.waiting() != 0 || b.session.Status().Err != nil {
			t.Errorf("%d entries wait, status %+v", b.waiting(), b.session.Status())
		}
	})
}

func seqs(of []message) (seqs []uint64) {
	for _, m := range of {
		seqs = append(seqs, m.seq)
	}
	return seqs
}

func times(of []message) (times []time.Time) {
	for _, m := range of {
		times = append(times, m.at)
	}
	return times
}

func gaps(of []time.Time) (gaps []time.Duration) {
	for i := 1; i < len(of); i++ {
		gaps = append(gaps, of[i].Sub(of[i-1]))
	}
	return gaps
}
