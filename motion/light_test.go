// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"testing"
	"time"
)

func TestLightAlone(t *testing.T) {
	tests := []struct {
		name  string
		light func(i int) float64 // gain of frame i after the room was learnt
	}{
		{"exposure", func(i int) float64 { return 1.015 }},
		{"lamp on", func(i int) float64 { return 1.5 }},
		{"lamp off", func(i int) float64 { return 0.3 }},
		{"dawn", func(i int) float64 { return 1 + float64(i)*0.005 }},
		{"quick fade", func(i int) float64 { return max(0.3, 1-float64(i)*0.1) }},
		{"flicker", func(i int) float64 { return 1 + 0.4*float64(i/10%2) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t, DefaultConfig(), 160, 120)
			s.settle()
			if n := s.play(80, func(i int) { s.gain = test.light(i) }); n > 0 {
				t.Errorf("motion in %d frames, only the light changed", n)
			}
			if n := s.play(20, s.walk()); n < 15 {
				t.Errorf("then somebody walks: motion in %d of 20 frames, want 15", n)
			}
		})
	}
}

// TestLightWithSomebody: the lamp is switched by somebody who walks on.
func TestLightWithSomebody(t *testing.T) {
	for _, gain := range []float64{0.5, 1.4} {
		s := newStage(t, DefaultConfig(), 160, 120)
		s.settle()
		walk := s.walk()
		n := s.play(30, func(i int) {
			walk(i)
			if i == 10 {
				s.gain = gain
			}
		})
		if n < 25 {
			t.Errorf("gain %v: motion in %d of 30 frames, want 25", gain, n)
		}
		s.leave()
		if n := s.play(30, nil); n > 20 {
			t.Errorf("gain %v: motion goes on for %d frames after they left", gain, n)
		}
	}
}

// TestLightThenSomebody: somebody comes in right after the lamp went out, while the detector still follows the light.
func TestLightThenSomebody(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	s.gain = 0.5
	if r := s.show(); r.Why != Light || r.Motion {
		t.Fatalf("%s, motion %v, want %s", r.Why, r.Motion, Light)
	}
	if n := s.play(8, s.walk()); n == 0 {
		t.Error("blind while the light changes")
	}
}

// TestLampWithShadows: a lamp that throws new shadows is no gain of the old picture. It is taken as it is.
func TestLampWithShadows(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	for i := range s.room {
		s.room[i] += byte(20 + 90*(i%160/6%2))
	}
	if n := s.play(60, nil); n > 0 {
		t.Errorf("motion in %d frames, only the light changed", n)
	}
	if n := s.play(20, s.walk()); n < 15 {
		t.Errorf("then somebody walks: motion in %d of 20 frames, want 15", n)
	}
}

// TestLightOnWhatIsHidden: the light changes while something hides the background, and the background is right after.
func TestLightOnWhatIsHidden(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	s.put()
	s.play(5, nil)
	b := s.detector.grid.cols*7 + 9 // in the middle of the thing
	x, y, _, _ := s.detector.grid.bounds(b)
	before := int(s.detector.bg.row(y, x, x+1)[0])
	s.gain = 1.4
	s.show()
	if s.detector.blocks[b].level != levelStrong {
		t.Fatal("the thing is not seen in the frame of the flash")
	}
	if after := int(s.detector.bg.row(y, x, x+1)[0]); after < before*13/10 || after > before*15/10 {
		t.Errorf("background behind it goes from %d to %d, want 1.4 times as much", before, after)
	}
}

// TestLightMeasure has 20 blocks with given mean differences over a background of 100.
func TestLightMeasure(t *testing.T) {
	g := newGrid(32, 40)
	measure := func(l *light, pts time.Duration, changed, by int) {
		out := make([]sums, g.blocks())
		for b := range out {
			if b < changed {
				if by > 0 {
					out[b].pos = uint16(64 * by)
				} else {
					out[b].neg = uint16(-64 * by)
				}
			}
		}
		l.measure(out, g, 100, 0.4, pts)
	}
	tests := []struct {
		name        string
		changed, by int
		flash       bool
		gain        int
	}{
		{"nothing", 0, 0, false, one},
		{"somebody", 8, 50, false, one},
		{"most", 9, 50, true, one},
		{"all brighter", 20, 50, true, one * 3 / 2},
		{"all darker", 20, -50, true, one / 2},
		{"all a little", 20, 2, false, one * 102 / 100},
	}
	for _, test := range tests {
		var l light
		measure(&l, 0, test.changed, test.by)
		if l.flash != test.flash || l.on != test.flash || l.gain != test.gain {
			t.Errorf("%s: got %+v, want flash %v, gain %d", test.name, l, test.flash, test.gain)
		}
	}
	var l light
	turned := make([]sums, g.blocks()) // a camera that moves
	for b := range turned {
		turned[b] = sums{pos: uint16(64 * 50 * (b % 2)), neg: uint16(64 * 50 * (1 - b%2))}
	}
	if l.measure(turned, g, 100, 0.4, 0); l.on {
		t.Errorf("as many brighter as darker blocks: %+v, want no light", l)
	}
	measure(&l, 0, 20, 50)
	measure(&l, lightHold-1, 0, 0)
	if !l.on || l.flash {
		t.Errorf("just before the end: %+v, want on without a flash", l)
	}
	if measure(&l, lightHold, 0, 0); l.on {
		t.Errorf("at the end: %+v, want off", l)
	}
}
