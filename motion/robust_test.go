// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// drive shows a detector what no camera would show, and checks what must hold whatever comes.
func drive(t *testing.T, seed uint64, w, h int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	cfg := DefaultConfig()
	cfg.Learn = time.Duration(r.IntN(3)) * 300 * time.Millisecond
	cfg.Sensitivity = 0.1 + 9*r.Float64()
	if r.IntN(2) == 0 {
		cfg.Zones = []Zone{{Kind: Ignore, Polygon: [][2]float64{{0, 0}, {r.Float64(), 0}, {0.5, 1}}}}
	}
	d, err := New(cfg, w, h)
	if err != nil {
		t.Fatal(err)
	}
	pad := r.IntN(20)
	world := make([]byte, (w+16)*(h+16))
	for i := range world {
		world[i] = byte(100 + 60*(i%(w+16)/5%2) + r.IntN(30))
	}
	p := Plane{Pix: make([]byte, (h-1)*(w+pad)+w), Stride: w + pad, W: w, H: h}
	pts := time.Duration(0)
	for range 40 {
		dx, dy, gain := r.IntN(17)*r.IntN(2), r.IntN(17)*r.IntN(2), 0.05+2*r.Float64()*float64(r.IntN(2))
		for y := range h {
			for x := range w {
				p.Pix[y*p.Stride+x] = byte(min(255, gain*float64(world[(y+dy)*(w+16)+x+dx])))
			}
		}
		if r.IntN(4) == 0 {
			d.Hint(Hint{Exposure: r.ExpFloat64(), Switching: r.IntN(5) == 0})
		}
		res := d.Process(p, pts)
		if res.Score < 0 || res.Score > 1 || res.Motion && res.Onset > pts {
			t.Fatalf("%dx%d: %+v at %v", w, h, res, pts)
		}
		for _, b := range res.Boxes {
			if b.X0 < 0 || b.Y0 < 0 || b.X1 > 1+1e-9 || b.Y1 > 1+1e-9 || b.X0 >= b.X1 || b.Y0 >= b.Y1 {
				t.Fatalf("%dx%d: box %v", w, h, b)
			}
		}
		pts += time.Duration(r.IntN(4)) * time.Duration(r.IntN(int(80*time.Millisecond)))
		if r.IntN(20) == 0 {
			pts += time.Hour
		}
	}
}

func TestProcessWhateverComes(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 40}, {40, 3}, {61, 47}, {70, 54}, {71, 55}, {69, 53}, {101, 77}, {960, 540}, {1100, 331}} {
		for seed := range uint64(6) {
			drive(t, seed, size[0], size[1])
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add(uint64(1), uint8(70), uint8(54))
	f.Fuzz(func(t *testing.T, seed uint64, w, h uint8) { drive(t, seed, int(w)+1, int(h)+1) })
}

// TestOnsetOfTheSecondMotion: somebody stands still for longer than a motion lasts, and walks on. The second motion does
// not begin in the first.
func TestOnsetOfTheSecondMotion(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Absorb = time.Minute
	s := newStage(t, cfg, 160, 120)
	s.settle()
	s.play(12, s.walk())
	if n := s.play(30, nil); n > 20 {
		t.Fatalf("motion in %d of 30 frames, nobody moves", n)
	}
	stood := s.now()
	x := s.thing[0]
	for i := range 15 {
		s.thing[0] = x + 4*i
		if r := s.show(); r.Motion && r.Onset < stood {
			t.Fatalf("onset %v, the second motion begins after %v", r.Onset, stood)
		}
	}
}

// TestStrobe: a lamp that flickers for a minute is not taken for a filter that is switched all the time.
func TestStrobe(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	cut := 0
	s.play(300, func(i int) {
		s.gain = []float64{1, 0.3}[i%2]
		if s.now() < s.detector.light.cut {
			cut++
		}
	})
	if most := 300 * int(cutMost+time.Second) / int(cutRest); cut == 0 || cut > most {
		t.Errorf("learning anew in %d of 300 frames, want some and at most %d", cut, most)
	}
}

// TestIgnoredDoesNotSteer: what an ignore zone hides may sway as it likes.
func TestIgnoredDoesNotSteer(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Zones = []Zone{{Kind: Ignore, Polygon: [][2]float64{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}}}
	s := newStage(t, cfg, 160, 120)
	for i := range s.room {
		s.room[i] = byte(60 + s.random.IntN(120))
	}
	s.settle()
	room := append([]byte(nil), s.room...)
	s.play(20, func(i int) {
		for y := range 120 {
			copy(s.room[y*160:y*160+80], room[y*160+3*(i%2):])
		}
		if m := s.detector.mount; m.dx != 0 || m.dy != 0 {
			t.Fatalf("shift %d, %d by what is ignored", m.dx, m.dy)
		}
	})
}

// TestBaseFollowsTheLight: the mean of the background is right at once when the background was replaced.
func TestBaseFollowsTheLight(t *testing.T) {
	s := newStage(t, DefaultConfig(), 320, 240)
	s.settle()
	s.gain = 0.1
	s.play(2, nil)
	sum := 0
	for _, v := range s.detector.bg.Pix {
		sum += int(v)
	}
	if got, want := s.detector.base.mean(), sum/len(s.detector.bg.Pix); got != want {
		t.Errorf("mean %d, want %d", got, want)
	}
}

func TestSwitchingHoldsForAFrame(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	s.settle()
	s.detector.Hint(Hint{Switching: true})
	s.play(30, nil)
	if s.detector.light.on {
		t.Error("the light changes for 3 s after a hint for one frame")
	}
}

// TestLumaGain holds it against the power it stands for.
func TestLumaGain(t *testing.T) {
	for _, ratio := range []float64{1.0 / 256, 0.1, 0.5, 0.99, 1, 1.01, 2, 10, 256} {
		if got, want := lumaGain(ratio), int(math.Round(one*math.Pow(ratio, 5.0/11))); got != want {
			t.Errorf("ratio %v: gain %d, want %d", ratio, got, want)
		}
	}
}
