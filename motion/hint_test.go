// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math"
	"testing"
)

// TestHintExposure: the camera says that it exposes longer, and somebody is seen in the same frame. Without the hint
// the background of what is hidden would be a guess.
func TestHintExposure(t *testing.T) {
	for _, ratio := range []float64{0.5, 2} {
		s := newStage(t, DefaultConfig(), 160, 120)
		s.detector.Hint(Hint{Exposure: 10})
		s.settle()
		before := s.detector.base.mean()
		s.detector.Hint(Hint{Exposure: 10 * ratio})
		s.gain = math.Pow(ratio, 1/2.2)
		if after := float64(s.detector.base.mean()); math.Abs(after/float64(before)-s.gain) > 0.05 {
			t.Errorf("ratio %v: background goes from %d to %v, want %.2f times as much", ratio, before, after, s.gain)
		}
		if r := s.show(); r.Motion || r.Why != Light {
			t.Errorf("ratio %v: %s, motion %v", ratio, r.Why, r.Motion)
		}
		if s.detector.light.flash {
			t.Errorf("ratio %v: the change was not expected", ratio)
		}
		if n := s.play(20, s.walk()); n < 14 {
			t.Errorf("ratio %v: motion in %d of 20 frames of a walk, want 14", ratio, n)
		}
	}
}

// TestHintSwitching: while the filter goes, anything may happen to the picture.
func TestHintSwitching(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	room := append([]byte(nil), s.room...)
	n := s.play(60, func(i int) {
		s.detector.Hint(Hint{Switching: i < 6})
		if i < 4 {
			for k, v := range room {
				s.room[k] = byte(30 + 60*i*(k%160/6%2) + int(255-v)/2)
			}
		}
	})
	if n > 0 {
		t.Errorf("motion in %d frames, only the filter was switched", n)
	}
	if n := s.play(20, s.walk()); n < 14 {
		t.Errorf("motion in %d of 20 frames of a walk, want 14", n)
	}
}

// TestHintNonsense: what no camera means changes nothing.
func TestHintNonsense(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.detector.Hint(Hint{Exposure: 1})
	s.settle()
	before := s.detector.base.mean()
	for _, e := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1, 1.01} {
		s.detector.Hint(Hint{Exposure: e})
		if after := s.detector.base.mean(); after != before {
			t.Errorf("exposure %v: background goes from %d to %d", e, before, after)
		}
	}
	s.detector.Hint(Hint{Exposure: math.MaxFloat64}) // absurd, but nothing breaks
	s.show()
}
