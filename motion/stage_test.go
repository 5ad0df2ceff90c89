// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math/rand/v2"
	"testing"
	"time"
)

// stage draws a textured room, with a light, noise, and one thing in it, at 10 frames per second.
type stage struct {
	t        *testing.T
	detector *Detector
	room     []byte
	plane    Plane
	random   *rand.Rand
	frame    int

	gain  float64 // of the light
	noise float64 // standard deviation, in levels
	// thing is where something stands, in samples: x, y, width, height.
	thing [4]int
}

func newStage(t *testing.T, cfg Config, w, h int) *stage {
	t.Helper()
	d, err := New(cfg, w, h)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, detector: d, room: make([]byte, w*h), plane: newPlane(w, h), random: rand.New(rand.NewPCG(7, 7)), gain: 1, noise: 1}
	for i := range s.room {
		s.room[i] = byte(90 + 20*(i%w/12%2) + 15*(i/w/9%2) + s.random.IntN(6))
	}
	return s
}

// show plays one frame.
func (s *stage) show() Result {
	w, x0, y0 := s.plane.W, s.thing[0], s.thing[1]
	for i, v := range s.room {
		x, y := i%w, i/w
		level := float64(v)
		if x >= x0 && x < x0+s.thing[2] && y >= y0 && y < y0+s.thing[3] {
			level = float64(40 + 120*((x-x0)/5%2))
		}
		level = level*s.gain + s.noise*s.random.NormFloat64()
		s.plane.Pix[i] = byte(min(max(level, 0), 255))
	}
	s.frame++
	return s.detector.Process(s.plane, s.now())
}

func (s *stage) now() time.Duration { return time.Duration(s.frame) * 100 * time.Millisecond }

// play shows frames and returns how many of them had motion. Before each, move may change the stage.
func (s *stage) play(frames int, move func(i int)) (moving int) {
	s.t.Helper()
	for i := range frames {
		if move != nil {
			move(i)
		}
		if s.show().Motion {
			moving++
		}
	}
	return moving
}

// settle lets the detector learn the room.
func (s *stage) settle() {
	s.t.Helper()
	if n := s.play(40, nil); n > 0 {
		s.t.Fatalf("motion in %d of the first 40 frames, nothing moves", n)
	}
}

// walk returns a move that carries the thing over the picture.
func (s *stage) walk() func(int) {
	return func(i int) { s.thing = [4]int{4 * i, s.plane.H / 4, s.plane.W / 8, s.plane.H / 2} }
}

func (s *stage) leave() { s.thing = [4]int{} }
