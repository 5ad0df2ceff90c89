// SPDX-License-Identifier: Apache-2.0

package synthetic

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/capturetest"
	"github.com/pion/mediadevices/pkg/driver"
)

// room is a scene of a second with everything in it.
func room() Config {
	return Config{
		Width: 96, Height: 64, Rate: capture.Rate{Num: 10, Den: 1}, Length: time.Second, Seed: 7, Noise: 3,
		Objects: []Object{{
			From: 200 * time.Millisecond, To: 700 * time.Millisecond,
			Path:  []Point{{-0.2, 0.5}, {0.5, 0.5}, {0.5, 1.3}},
			Width: 0.2, Height: 0.5, Contrast: -60,
		}},
		Lights: []Light{{At: 800 * time.Millisecond, Offset: 30}},
	}
}

func newDriver(o capturetest.Options) (driver.Adapter, error) {
	c := room()
	c.Speed, c.Frames = o.Speed, o.Frames
	if o.Endless {
		c.Length = 0
	}
	return New(c)
}

func TestConformance(t *testing.T) { capturetest.Run(t, newDriver) }

func TestZeroAllocs(t *testing.T) { capturetest.ZeroAllocs(t, newDriver) }

func BenchmarkRead720p(b *testing.B) {
	capturetest.Benchmark(b, func(o capturetest.Options) (driver.Adapter, error) {
		c := room()
		c.Width, c.Height, c.Length, c.Frames = 1280, 720, 0, o.Frames
		return New(c)
	})
}

// frame draws frame n of a scene, passing over the ones in front of it.
func frame(t *testing.T, c Config, n int) *capture.Frame {
	t.Helper()
	f, _ := capture.NewPool(c.Width, c.Height, 1).Get()
	s := newScene(c)
	for range n {
		if _, err := s.Next(nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Next(f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFrameDependsOnItsNumberOnly(t *testing.T) {
	c := room()
	want := frame(t, c, 5)
	s := newScene(c)
	f, _ := capture.NewPool(c.Width, c.Height, 1).Get()
	for range 6 {
		if _, err := s.Next(f); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(f.Y, want.Y) {
		t.Error("frame 5 differs when the frames in front of it are drawn too")
	}
	if slices.Equal(frame(t, c, 6).Y, want.Y) {
		t.Error("frame 6 has the noise of frame 5")
	}
	c.Seed++
	if slices.Equal(frame(t, c, 5).Y, want.Y) {
		t.Error("another seed gives the same pixels")
	}
}

// mean is the mean difference of two frames in a window of the picture.
func mean(a, b *capture.Frame, x0, y0, x1, y1 int) float64 {
	sum := 0
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			sum += int(a.Y[y*a.YStride+x]) - int(b.Y[y*b.YStride+x])
		}
	}
	return float64(sum) / float64((x1-x0)*(y1-y0))
}

func TestScript(t *testing.T) {
	c := room()
	c.Noise = 0
	empty := frame(t, c, 0)
	tests := []struct {
		name           string
		n              int
		x0, y0, x1, y1 int
		want           float64
	}{
		{"empty before From", 1, 0, 0, 96, 64, 0},
		{"object at its turning point", 4, 36, 28, 40, 36, -60}, // 0.8 of the first leg: x = 0.36
		{"nothing beside the object", 4, 60, 0, 96, 64, 0},
		{"object on its second leg", 6, 46, 55, 50, 60, -60},
		{"gone at To", 7, 0, 0, 96, 64, 0},
		{"light is on", 8, 0, 0, 96, 64, 30},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := mean(frame(t, c, test.n), empty, test.x0, test.y0, test.x1, test.y1); got != test.want {
				t.Errorf("luma differs by %g, want %g", got, test.want)
			}
		})
	}
}

func TestNoise(t *testing.T) {
	c := room()
	noisy := frame(t, c, 0)
	c.Noise = 0
	quiet := frame(t, c, 0)
	var sum, squares float64
	for i := range noisy.Y {
		d := float64(noisy.Y[i]) - float64(quiet.Y[i])
		sum += d
		squares += d * d
	}
	n := float64(len(noisy.Y))
	// 6144 samples: the mean is within 5 standard errors (3/78) of 0, the deviation near 3.
	if m := sum / n; math.Abs(m) > 0.2 {
		t.Errorf("mean of the noise is %g", m)
	}
	if sd := math.Sqrt(squares / n); sd < 2.8 || sd > 3.2 {
		t.Errorf("standard deviation of the noise is %g, want 3", sd)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(*Config)
		reason string
	}{
		{"odd width", func(c *Config) { c.Width = 95 }, "even"},
		{"no rate", func(c *Config) { c.Rate = capture.Rate{} }, "frame rate"},
		{"negative length", func(c *Config) { c.Length = -1 }, "length"},
		{"noise is no number", func(c *Config) { c.Noise = math.NaN() }, "noise"},
		{"object without time", func(c *Config) { c.Objects[0].To = c.Objects[0].From }, "span of time"},
		{"object without path", func(c *Config) { c.Objects[0].Path = nil }, "path"},
		{"object far away", func(c *Config) { c.Objects[0].Path[0].X = 1e9 }, "point"},
		{"object of no size", func(c *Config) { c.Objects[0].Width = 0 }, "size"},
		{"contrast", func(c *Config) { c.Objects[0].Contrast = 256 }, "contrast"},
		{"lights out of order", func(c *Config) { c.Lights = append(c.Lights, Light{}) }, "in front"},
		{"light too bright", func(c *Config) { c.Lights[0].Offset = 256 }, "offset"},
		{"negative speed", func(c *Config) { c.Speed = -1 }, "speed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := room()
			test.spoil(&c)
			if _, err := New(c); err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want an error about %q", err, test.reason)
			}
		})
	}
}
