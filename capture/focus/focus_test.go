// SPDX-License-Identifier: Apache-2.0

package focus

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
)

// stripes is a plane of vertical edges, in a stride that is wider than the picture.
func stripes(w, h int) capture.Plane {
	p := capture.Plane{Pix: make([]byte, (w+7)*h), Stride: w + 7, W: w, H: h}
	for y := range h {
		for x := range p.Stride {
			p.Pix[y*p.Stride+x] = byte(60 + 120*(x/8%2))
		}
	}
	return p
}

// blur is a lens that is off by so many samples: a box filter, over and over.
func blur(p capture.Plane, times int) capture.Plane {
	for range times {
		out := append([]byte(nil), p.Pix...)
		for i := 1; i+1 < len(p.Pix); i++ {
			out[i] = byte((int(p.Pix[i-1]) + int(p.Pix[i]) + int(p.Pix[i+1])) / 3)
		}
		p.Pix = out
	}
	return p
}

// The sharper, the larger: turning the lens one way goes up and the other way down.
func TestSharpnessOrders(t *testing.T) {
	last := math.Inf(1)
	for times := range 8 {
		s := Sharpness(blur(stripes(160, 90), times))
		if s >= last || s <= 0 {
			t.Errorf("blurred %d times: %g, not below %g", times, s, last)
		}
		last = s
	}
}

// A wall that is lit from one side has no edges. What is at the border of the picture does not count, nor what lies beside it.
func TestSharpnessOfFlat(t *testing.T) {
	p := stripes(160, 90)
	for y := range p.H {
		for x := range p.W {
			p.Pix[y*p.Stride+x] = byte(x)
		}
	}
	if s := Sharpness(p); s != 0 {
		t.Errorf("a slope is sharp: %g", s)
	}
	p.Pix[0], p.Pix[len(p.Pix)-1] = 255, 255
	if s := Sharpness(p); s != 0 {
		t.Errorf("the border counts: %g", s)
	}
}

func TestSharpnessOfOddPlanes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, p := range []capture.Plane{
		{}, {W: 1, H: 1, Stride: 1, Pix: []byte{1}}, {W: 2, H: 2, Stride: 2, Pix: make([]byte, 4)},
		{W: 100, H: 100, Stride: 100, Pix: make([]byte, 99)}, {W: 100, H: 100, Stride: 50, Pix: make([]byte, 10000)},
	} {
		if s := Sharpness(p); s != 0 {
			t.Errorf("%dx%d: %g", p.W, p.H, s)
		}
	}
	for range 200 {
		w, h := 1+random.IntN(40), 1+random.IntN(40)
		p := capture.Plane{W: w, H: h, Stride: w, Pix: make([]byte, w*h)}
		for i := range p.Pix {
			p.Pix[i] = byte(random.Uint32())
		}
		if s := Sharpness(p); s < 0 || s > 8*255 || math.IsNaN(s) {
			t.Errorf("%dx%d: %g", w, h, s)
		}
	}
}

func TestMeter(t *testing.T) {
	var m Meter
	if line := m.Line(); !strings.Contains(line, "0 %") {
		t.Errorf("before anything: %s", line)
	}
	for _, s := range []float64{1, 5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9} {
		m.Add(s)
	}
	if line := m.Line(); !strings.Contains(line, strings.Repeat("#", barWidth)) || !strings.Contains(line, "100 %") {
		t.Errorf("at its best: %s", line)
	}
	for range 30 {
		m.Add(4.5)
	}
	if line := m.Line(); !strings.Contains(line, "["+strings.Repeat("#", barWidth/2)+strings.Repeat(".", barWidth/2)+"]") || !strings.Contains(line, "50 %") {
		t.Errorf("half as sharp: %s", line)
	}
}

func BenchmarkSharpness(b *testing.B) {
	p := stripes(1280, 720)
	b.SetBytes(int64(p.W * p.H / 4))
	for b.Loop() {
		Sharpness(p)
	}
}
