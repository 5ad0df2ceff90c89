// SPDX-License-Identifier: Apache-2.0

package motion

import "testing"

// TestMount: the picture of a random room is shifted, and the way is found; a thing that covers a part of it is not.
func TestMount(t *testing.T) {
	const w, h = 160, 120
	for _, want := range [][2]int{{0, 0}, {2, 0}, {-3, 1}, {4, -4}, {0, 3}} {
		s := newStage(t, DefaultConfig(), w, h)
		for i := range s.room {
			s.room[i] = byte(60 + s.random.IntN(120))
		}
		s.settle()
		room := append([]byte(nil), s.room...)
		for y := range h {
			for x := range w {
				s.room[y*w+x] = room[min(max(y+want[1], 0), h-1)*w+min(max(x+want[0], 0), w-1)]
			}
		}
		s.thing = [4]int{60, 30, 24, 60}
		s.show()
		if got := [2]int{s.detector.mount.dx, s.detector.mount.dy}; got != want {
			t.Errorf("shift %v, want %v", got, want)
		}
	}
}

// TestShaking: gusts of wind are no motion, and somebody in them is.
func TestShaking(t *testing.T) {
	const w = 160
	s := newStage(t, DefaultConfig(), w, 120)
	for i := range s.room {
		s.room[i] = byte(60 + 90*(i%w/10%2) + 30*(i/w/7%2))
	}
	s.settle()
	room := append([]byte(nil), s.room...)
	gust := func(i int) { copy(s.room, room[[]int{0, 2, 3, 1}[i%4]:]) }
	if n := s.play(60, gust); n > 0 {
		t.Errorf("motion in %d frames of wind", n)
	}
	walk := s.walk()
	if n := s.play(25, func(i int) { gust(i); walk(i) }); n < 12 {
		t.Errorf("motion in %d of 25 frames of a walk in the wind, want 12", n)
	}
}

// TestMountNeedsMany: a few blocks that differ are not searched for, whatever they show.
func TestMountNeedsMany(t *testing.T) {
	s := newStage(t, DefaultConfig(), 320, 240)
	s.settle()
	s.thing = [4]int{100, 100, 30, 40}
	s.show()
	if m := s.detector.mount; m.dx != 0 || m.dy != 0 {
		t.Errorf("shift %d, %d by a thing", m.dx, m.dy)
	}
}
