// SPDX-License-Identifier: Apache-2.0

package gpio

import "time"

// Button tells a press from a hold. The zero value is one that nobody touches, once Hold is set. One goroutine.
type Button struct {
	Hold time.Duration // how long it has to be held

	since time.Time // when it went down; zero for up
	held  bool      // and that was told
}

// Set says whether it is down, and returns whether a press has ended: it was down for less than Hold.
func (b *Button) Set(down bool, now time.Time) (pressed bool) {
	if down {
		if b.since.IsZero() {
			b.since, b.held = now, false
		}
		return false
	}
	pressed = !b.since.IsZero() && !b.held && now.Sub(b.since) < b.Hold
	b.since = time.Time{}
	return pressed
}

// Held returns true once for each time that it is held for so long; ask while it is down.
func (b *Button) Held(now time.Time) bool {
	if b.since.IsZero() || b.held || now.Sub(b.since) < b.Hold {
		return false
	}
	b.held = true
	return true
}

// Down tells whether it is down.
func (b *Button) Down() bool { return !b.since.IsZero() }

// Left is how long it still has to be held, 0 when it is up or was held long enough.
func (b *Button) Left(now time.Time) time.Duration {
	if b.since.IsZero() || b.held {
		return 0
	}
	return max(0, b.Hold-now.Sub(b.since))
}

// A Pattern is how a lamp shows something: spans of light and dark in turn, over and over. None is dark.
type Pattern []time.Duration

// The patterns of the status lamp.
var (
	Dark   = Pattern{}
	Lit    = Pattern{time.Hour, 0}
	Well   = Pattern{50 * time.Millisecond, 9950 * time.Millisecond}                                                                                                  // a blink each 10 s
	Seeing = Pattern{500 * time.Millisecond, 500 * time.Millisecond}                                                                                                  // being recorded
	Alone  = Pattern{50 * time.Millisecond, 200 * time.Millisecond, 50 * time.Millisecond, 4700 * time.Millisecond}                                                   // no hub: two blinks
	Wrong  = Pattern{100 * time.Millisecond, 150 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond, 100 * time.Millisecond, 1400 * time.Millisecond} // an error: three
	Urgent = Pattern{60 * time.Millisecond, 60 * time.Millisecond}                                                                                                    // the button is held
)

// At tells whether the lamp is lit at a time since the pattern began, and how long that stays so; 0 for ever.
func (p Pattern) At(t time.Duration) (lit bool, left time.Duration) {
	var whole time.Duration
	for _, d := range p {
		whole += d
	}
	if whole <= 0 {
		return false, 0
	}
	t %= whole
	for i, d := range p {
		if t < d {
			return i%2 == 0, d - t
		}
		t -= d
	}
	return false, 0
}
