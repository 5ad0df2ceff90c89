// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/capturetest"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"
)

// maker makes drivers for one film of a test.
func maker(tb testing.TB, contents []byte) capturetest.Make {
	path := save(tb, contents)
	return func(o capturetest.Options) (driver.Adapter, error) {
		return New(Config{Path: path, Speed: o.Speed, Frames: o.Frames, Loop: o.Endless})
	}
}

func TestAVIConformance(t *testing.T) { capturetest.Run(t, maker(t, aviFilm(t, 32, 16, 10))) }

func TestY4MConformance(t *testing.T) { capturetest.Run(t, maker(t, y4mFilm(32, 16, 10, " C420jpeg"))) }

func TestY4MZeroAllocs(t *testing.T) {
	capturetest.ZeroAllocs(t, maker(t, y4mFilm(64, 32, 10, " C420jpeg XCOLORRANGE=LIMITED")))
}

func BenchmarkReadY4M720p(b *testing.B) {
	capturetest.Benchmark(b, maker(b, y4mFilm(1280, 720, 4, " C420jpeg XCOLORRANGE=FULL")))
}

const visits = "../footage/visits.avi"

func BenchmarkReadVisits(b *testing.B) {
	capturetest.Benchmark(b, func(o capturetest.Options) (driver.Adapter, error) {
		return New(Config{Path: visits, Frames: o.Frames, Loop: o.Endless})
	})
}

// TestVisits plays the footage and checks it against what its labels claim.
func TestVisits(t *testing.T) {
	var labels struct {
		FPS, Frames, Width, Height int
		Visits                     []struct{ First, Last int }
	}
	text, err := os.ReadFile("../footage/visits.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &labels); err != nil {
		t.Fatal(err)
	}
	empty := -1 // last frame with a visitor
	for _, v := range labels.Visits {
		if v.First <= empty+1 || v.Last < v.First || v.Last >= labels.Frames {
			t.Errorf("visit %+v overlaps, or is outside the film", v)
		}
		empty = v.Last
	}

	d, err := New(Config{Path: visits})
	if err != nil {
		t.Fatal(err)
	}
	if err := capture.Register(t.Name(), d); err != nil {
		t.Fatal(err)
	}
	defer capture.Unregister(t.Name())
	s, err := capture.Open(t.Name(), prop.Media{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := capture.Format{Width: labels.Width, Height: labels.Height, FrameRate: float64(labels.FPS)}
	if s.Format() != want {
		t.Errorf("format %+v, labels say %+v", s.Format(), want)
	}
	frames := 0
	for ; ; frames++ {
		f, err := s.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	if frames != labels.Frames {
		t.Errorf("%d frames, labels say %d", frames, labels.Frames)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]struct {
		config Config
		is     error
		reason string
	}{
		"no such file":   {Config{Path: "/nonexistent"}, fs.ErrNotExist, "/nonexistent"},
		"a directory":    {Config{Path: t.TempDir()}, ErrFormat, "directory"},
		"empty file":     {Config{Path: save(t, nil)}, ErrFormat, "replay"},
		"some text":      {Config{Path: save(t, []byte("hello, hello, hello"))}, ErrFormat, "replay"},
		"negative speed": {Config{Path: save(t, y4mFilm(2, 2, 1, "")), Speed: -1}, nil, "speed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.config)
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Fatalf("got %v, want an error with %q", err, test.reason)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
		})
	}
}

// lumas plays a film to its end, or to an error, and returns the first luma sample of each frame.
func lumas(f film) ([]byte, error) {
	w, h := f.size()
	frame, _ := capture.NewPool(w, h, 1).Get()
	var got []byte
	for {
		drawn, err := f.Next(frame)
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		if drawn {
			got = append(got, frame.Y[0])
		}
	}
}
