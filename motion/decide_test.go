// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// differing counts the blocks that differ from the background.
func (s *stage) differing() (n int) {
	for i := range s.detector.blocks {
		if s.detector.blocks[i].level != levelNone {
			n++
		}
	}
	return n
}

// put sets the thing down where it stays, after it was carried there.
func (s *stage) put() (moving int) {
	return s.play(6, func(i int) { s.thing = [4]int{60 - 4*(5-i), 40, 30, 40} })
}

// TestGhost: what is put down stops being motion soon, and becomes background after Absorb; when it is taken away,
// the background that it hid is still known.
func TestGhost(t *testing.T) {
	for _, absorb := range []time.Duration{3 * time.Second, time.Minute} {
		cfg := DefaultConfig()
		cfg.Absorb = absorb
		s := newStage(t, cfg, 160, 120)
		s.settle()
		if n := s.put() + s.play(25, nil); n < 10 || n > 17 {
			t.Errorf("absorb %v: motion in %d of 31 frames, want 10 to 17: the way there, 0.7 s, and Off", absorb, n)
		}
		if s.differing() == 0 {
			t.Errorf("absorb %v: background after 2.5 s", absorb)
		}
		if n := s.play(20, nil); n != 0 {
			t.Errorf("absorb %v: motion in %d frames, the thing stands still", absorb, n)
		}
		if absorbed := s.differing() == 0; absorbed != (absorb == 3*time.Second) {
			t.Errorf("absorb %v: %d blocks differ after 4.5 s", absorb, s.differing())
		}
		s.leave()
		if n := s.play(20, nil); n != 0 || s.differing() != 0 {
			t.Errorf("absorb %v: a ghost in %d frames, %d blocks", absorb, n, s.differing())
		}
	}
}

// TestFormerBackground: without the memory of the former background the place that something left is a ghost.
func TestFormerBackground(t *testing.T) {
	for _, forget := range []bool{false, true} {
		s := newStage(t, DefaultConfig(), 160, 120)
		s.settle()
		s.put()
		s.play(50, nil)
		if forget {
			copy(s.detector.former.Pix, s.detector.bg.Pix)
		}
		s.leave()
		s.show()
		if hole := s.differing() > 0; hole != forget {
			t.Errorf("forget %v: the place differs %v", forget, hole)
		}
	}
}

// TestYoungBackground: somebody who stands in two places that overlap does not push the room out of memory.
func TestYoungBackground(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	s.put()
	s.play(50, nil)
	s.thing[0] += 7
	s.play(50, nil)
	if s.differing() != 0 {
		t.Fatal("the second place is not background")
	}
	s.leave()
	if n := s.play(20, nil); n != 0 {
		t.Errorf("a ghost in %d frames", n)
	}
}

// TestSecondVisitor: two visitors stand in the same place, one after the other. The room is known after either.
func TestSecondVisitor(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	for visitor := range 2 {
		s.thing = [4]int{60 + 3*visitor, 40, 30, 40}
		s.play(50, nil)
		s.leave()
		if n := s.play(30, nil); n != 0 {
			t.Errorf("visitor %d leaves a ghost in %d frames", visitor+1, n)
		}
	}
}

// TestShadow: a soft shadow glides over the room, and is no motion; one that nothing casts so dark is.
func TestShadow(t *testing.T) {
	for gain, want := range map[float64]bool{0.7: false, 0.1: true} {
		s := newStage(t, DefaultConfig(), 160, 120)
		s.settle()
		whole := append([]byte(nil), s.room...)
		n := s.play(30, func(i int) {
			for k, v := range whole {
				depth := max(0, 1-math.Abs(float64(k%160-4*i))/40) // 1 in its middle
				s.room[k] = byte(float64(v) * (1 - (1-gain)*depth))
			}
		})
		if moving := n > 0; moving != want {
			t.Errorf("shadow with gain %v: motion in %d frames, want any %v", gain, n, want)
		}
	}
}

// TestStandingStill: somebody who only shifts a little keeps the motion alive for longer than Absorb.
func TestStandingStill(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	s.put()
	n := s.play(100, func(i int) {
		if i%6 == 0 {
			s.thing[0] = 60 + i/6%2
		}
	})
	if n < 97 {
		t.Errorf("motion in %d of 100 frames, want 97", n)
	}
}

func TestNoise(t *testing.T) {
	for _, noise := range []float64{0, 4, 12} {
		s := newStage(t, DefaultConfig(), 160, 120)
		s.noise = noise
		s.settle()
		if n := s.play(200, nil); n > 0 {
			t.Errorf("noise of %v levels: motion in %d frames", noise, n)
		}
		if n := s.play(20, s.walk()); n < 15 {
			t.Errorf("noise of %v levels: motion in %d of 20 frames of a walk, want 15", noise, n)
		}
	}
}

// TestNoiseAtNight: noise that sets in later is learnt as well, though it is over the limit at first.
func TestNoiseAtNight(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	s.noise = 20
	s.play(300, nil)
	if n := s.play(100, nil); n > 0 {
		t.Errorf("motion in %d of 100 frames half a minute later", n)
	}
}

// TestTrembling: the camera shakes by one sample. Without a neighbour's leave that would be motion.
func TestTrembling(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	for i := range s.room {
		s.room[i] = byte(60 + 120*(i%160/10%2))
	}
	s.settle()
	whole := append([]byte(nil), s.room...)
	if n := s.play(60, func(i int) { copy(s.room, whole[i%2:]) }); n > 0 {
		t.Errorf("motion in %d frames of a tremor by one sample", n)
	}
	if n := s.play(20, func(int) { copy(s.room, whole[5:]) }); n == 0 {
		t.Error("no motion when the camera is turned by five samples")
	}
}

// TestFlutter: a leaf that comes and goes all the time is no event for long.
func TestFlutter(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	r := rand.New(rand.NewPCG(3, 3))
	s.settle()
	flutter := func(int) {
		s.leave()
		if r.IntN(3) == 0 {
			s.thing = [4]int{80, 40, 20, 20}
		}
	}
	s.play(300, flutter)
	if n := s.play(300, flutter); n > 60 {
		t.Errorf("motion in %d of 300 frames after half a minute of it, want at most 60", n)
	}
	s.leave()
	s.play(100, nil)
	if n := s.play(20, s.walk()); n < 15 {
		t.Errorf("motion in %d of 20 frames of a walk, want 15", n)
	}
}

func TestBlockLearn(t *testing.T) {
	tests := []struct {
		name              string
		noise, x, din     int
		differs, learning bool
		want              int
	}{
		{"learning goes up fast", 0, 400, 0, false, true, 100},
		{"by one at least", 10, 11, 0, false, true, 11},
		{"quiet goes up slowly", 0, 320, 0, false, false, 10},
		{"and down more slowly", 640, 0, 0, false, false, 630},
		{"something there", 100, 900, 0, true, false, 101},
		{"something there never goes down", 100, 0, 0, true, false, 100},
		{"noise of the whole picture is not something", 100, 900, 640, true, false, 125},
		{"the same", 100, 100, 0, false, false, 100},
	}
	for _, test := range tests {
		b := block{noise: uint16(test.noise), sway: uint16(test.noise)}
		b.learn(test.x, test.x, test.differs, test.learning, test.din)
		if int(b.noise) != test.want || int(b.sway) != test.want {
			t.Errorf("%s: noise %d, sway %d, want %d", test.name, b.noise, b.sway, test.want)
		}
	}
}
