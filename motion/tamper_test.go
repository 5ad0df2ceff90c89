// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"testing"
	"time"
)

// tampered plays frames and returns the kinds of tampering in the order in which they begin.
func (s *stage) tampered(frames int, move func(i int)) (kinds []string) {
	last := ""
	for i := range frames {
		if move != nil {
			move(i)
		}
		r := s.show()
		if r.Tamper != last && r.Tamper != "" {
			kinds = append(kinds, r.Tamper)
		}
		last = r.Tamper
	}
	return kinds
}

func TestTamper(t *testing.T) {
	whole := func(s *stage) []byte { return append([]byte(nil), s.room...) }
	tests := []struct {
		name string
		move func(s *stage) func(i int)
		want string
	}{
		{"nothing", func(*stage) func(int) { return nil }, ""},
		{"somebody walks", func(s *stage) func(int) { return s.walk() }, ""},
		{"covered", func(s *stage) func(int) { return func(int) { s.gain = 0.03 } }, Black},
		{"dark for a second", func(s *stage) func(int) {
			return func(i int) {
				s.gain = 1
				if i >= 10 && i < 20 {
					s.gain = 0.03
				}
			}
		}, ""},
		{"dim", func(s *stage) func(int) { return func(int) { s.gain = 0.4 } }, ""},
		{"frozen", func(s *stage) func(int) { return func(int) { s.noise = 0 } }, Frozen},
		{"turned", func(s *stage) func(int) {
			room := whole(s)
			return func(i int) {
				if i == 10 { // another wall, as bright as this one
					for k := range s.room {
						s.room[k] = byte(int(room[k]) - 40 + 80*((k%160/11+k/160/11)%2))
					}
				}
			}
		}, Moved},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t, DefaultConfig(), 160, 120)
			s.settle()
			got := s.tampered(130, test.move(s))
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || got[0] != test.want) {
				t.Errorf("tampering %q, want %q", got, test.want)
			}
		})
	}
}

// TestTamperEnds: the cover is taken off, the picture goes on.
func TestTamperEnds(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	s.gain = 0.03
	s.play(30, nil)
	if r := s.show(); r.Tamper != Black {
		t.Fatalf("tampering %q while covered, want %q", r.Tamper, Black)
	}
	s.gain = 1
	if r := s.show(); r.Tamper != "" {
		t.Errorf("tampering %q in the light, want none", r.Tamper)
	}
	s.play(30, nil)
	if n := s.play(20, s.walk()); n < 14 {
		t.Errorf("motion in %d of 20 frames of a walk, want 14", n)
	}
}

// TestTurnedIsLearnt: what the camera sees after it was turned is the background, and what moves there is motion.
func TestTurnedIsLearnt(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	for k := range s.room {
		s.room[k] = byte(200 - int(s.room[k]) + 60*(k%160/5%2))
	}
	s.play(30, nil)
	if n := s.differing(); n > 3 {
		t.Errorf("%d blocks differ 3 s later, want at most 3", n)
	}
	if n := s.play(20, s.walk()); n < 14 {
		t.Errorf("motion in %d of 20 frames of a walk, want 14", n)
	}
}

func TestTamperLooksAtSmallPlanes(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {7, 3}, {8, 8}, {9, 17}} {
		tam := tamper{}
		p := newPlane(size[0], size[1])
		tam.look(p, time.Minute)
		if k := tam.kind(time.Minute); size[0] < 8 && k == Black {
			t.Errorf("%v: %q of a picture that is too small to tell", size, k)
		}
	}
}
