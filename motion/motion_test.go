// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestWalk(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	first := s.now() + 100*time.Millisecond
	walk := s.walk()
	for i := range 30 {
		walk(i)
		r := s.show()
		if want := i >= 2; r.Motion != want {
			t.Fatalf("frame %d: motion %v (%s), want %v: 3 of 5 frames begin it", i, r.Motion, r.Why, want)
		}
		if !r.Motion {
			if r.Why != Maybe || r.Onset != 0 {
				t.Errorf("frame %d: %s, onset %v, want %s without an onset", i, r.Why, r.Onset, Maybe)
			}
			continue
		}
		if r.Onset != first || r.Why != Moving {
			t.Errorf("frame %d: onset %v, %s, want %v, %s", i, r.Onset, r.Why, first, Moving)
		}
		x := (float64(s.thing[0]) + float64(s.thing[2])/2) / 160
		if !slices.ContainsFunc(r.Boxes, func(b Box) bool { return b.X0 <= x && x <= b.X1 && b.Y0 <= 0.5 && 0.5 <= b.Y1 }) {
			t.Errorf("frame %d: no box of %v is around %.2f, 0.5", i, r.Boxes, x)
		}
		if r.Score < 0.01 || r.Score > 0.25 {
			t.Errorf("frame %d: score %.3f, the thing covers 0.06", i, r.Score)
		}
	}
	s.leave()
	if n := s.play(20, nil); n < 2 || n > 4 {
		t.Errorf("motion goes on for %d frames, want some 3, the 0.3 s of Off", n)
	}
	if r := s.show(); r.Why != Quiet || r.Onset != 0 || r.Score != 0 || len(r.Boxes) != 0 {
		t.Errorf("empty room: %+v", r)
	}
}

func TestLearning(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	walk := s.walk()
	for i := range 19 {
		walk(i)
		if r := s.show(); r.Motion || r.Why != Learning {
			t.Fatalf("frame %d: %v, %s, want %s for 2 s", i, r.Motion, r.Why, Learning)
		}
	}
	cfg := DefaultConfig()
	cfg.Learn = 0
	s = newStage(t, cfg, 160, 120)
	if n := s.play(20, s.walk()); n == 0 {
		t.Error("no motion without learning")
	}
}

func TestZones(t *testing.T) {
	left, right := [][2]float64{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}, [][2]float64{{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}
	tests := []struct {
		name   string
		zones  []Zone
		want   []string // zones seen by a walk over the left half
		moving bool
	}{
		{"none", nil, nil, true},
		{"both", []Zone{{Name: "l", Kind: Include, Polygon: left}, {Name: "r", Kind: Include, Polygon: right}}, []string{"l"}, true},
		{"other", []Zone{{Name: "r", Kind: Include, Polygon: right}}, nil, false},
		{"ignored", []Zone{{Kind: Ignore, Polygon: left}}, nil, false},
		{"insensitive", []Zone{{Name: "l", Kind: Include, Sensitivity: 0.1, Polygon: left}}, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Zones = test.zones
			s := newStage(t, cfg, 160, 120)
			s.settle()
			walk, seen, moving := s.walk(), []string(nil), false
			for i := range 12 {
				walk(i)
				r := s.show()
				moving = moving || r.Motion
				for _, z := range r.Zones {
					if !slices.Contains(seen, z) {
						seen = append(seen, z)
					}
				}
			}
			if moving != test.moving || !slices.Equal(seen, test.want) {
				t.Errorf("motion %v in %q, want %v in %q", moving, seen, test.moving, test.want)
			}
		})
	}
}

// TestProcessAllocates runs through all states: learning, a walk, a flash, an empty room.
func TestProcessAllocates(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Zones = []Zone{{Name: "room", Kind: Include, Polygon: [][2]float64{{0, 0}, {1, 0}, {1, 1}, {0, 1}}}}
	s := newStage(t, cfg, 160, 120)
	walk, i, states := s.walk(), 0, map[string]bool{}
	allocated := testing.AllocsPerRun(150, func() {
		switch i++; {
		case i > 60 && i < 90:
			walk(i - 60)
		case i == 90:
			s.leave()
		case i == 120:
			s.gain = 1.4
		}
		states[s.show().Why] = true
	})
	if allocated != 0 {
		t.Errorf("%v allocations per frame", allocated)
	}
	for _, why := range []string{Learning, Quiet, Light, Maybe, Moving, Ending} {
		if !states[why] {
			t.Errorf("never saw %q", why)
		}
	}
}

func TestTinyFrames(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 2}, {8, 8}, {9, 7}, {17, 1}, {3, 40}} {
		s := newStage(t, DefaultConfig(), size[0], size[1])
		s.settle()
		s.gain = 0.3
		s.play(20, nil)
		s.gain = 0
		s.play(20, nil)
	}
}

// TestDeterministic: two detectors agree on everything, whatever the stride is.
func TestDeterministic(t *testing.T) {
	a := newStage(t, DefaultConfig(), 157, 99)
	b, err := New(DefaultConfig(), 157, 99)
	if err != nil {
		t.Fatal(err)
	}
	wide := Plane{Pix: make([]byte, 99*200), Stride: 200, W: 157, H: 99}
	walk := a.walk()
	for i := range 80 {
		if i > 40 {
			walk(i - 40)
		}
		got := fmt.Sprint(a.show())
		for y := range wide.H {
			copy(wide.row(y, 0, wide.W), a.plane.row(y, 0, wide.W))
		}
		if want := fmt.Sprint(b.Process(wide, a.now())); got != want {
			t.Fatalf("frame %d: %s, with a stride %s", i, got, want)
		}
	}
}

func TestProcessRefusesOtherSizes(t *testing.T) {
	s := newStage(t, DefaultConfig(), 64, 48)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s.detector.Process(newPlane(48, 64), 0)
}

func BenchmarkProcess(b *testing.B) {
	for _, size := range [][2]int{{1280, 720}, {640, 360}} {
		for _, scene := range []string{"empty", "walk"} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], scene), func(b *testing.B) {
				s := newStage(&testing.T{}, DefaultConfig(), size[0], size[1])
				s.play(30, nil)
				var films []Plane
				walk := s.walk()
				for i := range 16 {
					if scene == "walk" {
						walk(8 * i)
					}
					s.show()
					films = append(films, s.plane.clone())
				}
				pts := s.now()
				b.SetBytes(int64(size[0] * size[1]))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					pts += 100 * time.Millisecond
					s.detector.Process(films[i%len(films)], pts)
				}
			})
		}
	}
}
