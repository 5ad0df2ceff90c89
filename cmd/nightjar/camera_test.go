// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/capture/replay"
	"github.com/nightjar-cam/nightjar/capture/synthetic"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/motion"
)

// path is the frame path over a driver, with a recorder that nothing moves for.
func path(tb testing.TB, adapter driver.Adapter, err error) *camera {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	if err := capture.Register(tb.Name(), adapter); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { capture.Unregister(tb.Name()) })
	source, err := capture.Open(tb.Name(), prop.Media{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { source.Close() })
	format := source.Format()
	detector, err := motion.New(motion.DefaultConfig(), format.Width, format.Height)
	if err != nil {
		tb.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	c := newCamera(health.New(log, time.Now), log)
	c.use(source, detector, clip.NewRecorder(clip.DefaultConfig(), format, nil, nil, log))
	return c
}

const ring = 96 << 20 // bytes, as clip.DefaultConfig has

// sources are what the frame path is measured over, at 1280x720.
var sources = []struct {
	name string
	open func(testing.TB) (driver.Adapter, error)
}{
	{"synthetic", func(testing.TB) (driver.Adapter, error) {
		return synthetic.New(synthetic.Config{Width: 1280, Height: 720, Rate: capture.Rate{Num: 30, Den: 1}, Noise: 2, Held: ring})
	}},
	{"y4m", func(tb testing.TB) (driver.Adapter, error) {
		return replay.New(replay.Config{Path: still(tb, 1280, 720), Loop: true, Held: ring})
	}},
}

// still writes a short Y4M film of a still picture.
func still(tb testing.TB, w, h int) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "still.y4m")
	f, err := os.Create(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	fmt.Fprintf(out, "YUV4MPEG2 W%d H%d F30:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n", w, h)
	picture := make([]byte, w*h*3/2)
	for i := range picture {
		picture[i] = byte(64 + i%97)
	}
	for range 4 {
		io.WriteString(out, "FRAME\n")
		out.Write(picture)
	}
	if err := out.Flush(); err != nil {
		tb.Fatal(err)
	}
	return file
}

// The frame path allocates nothing once it is warm, from the source to the recorder's ring.
func TestFramePathAllocatesNothing(t *testing.T) {
	for _, s := range sources {
		t.Run(s.name, func(t *testing.T) {
			adapter, err := s.open(t)
			c := path(t, adapter, err)
			for range 150 { // until the ring has its size
				next(t, c)
			}
			if n := testing.AllocsPerRun(50, func() { next(t, c) }); n != 0 {
				t.Errorf("%g allocations a frame", n)
			}
		})
	}
}

func BenchmarkFramePath(b *testing.B) {
	for _, s := range sources {
		b.Run(s.name, func(b *testing.B) {
			adapter, err := s.open(b)
			c := path(b, adapter, err)
			for range 150 { // until the ring has its size
				next(b, c)
			}
			b.ReportAllocs()
			for b.Loop() {
				next(b, c)
			}
		})
	}
}

// A program that is missing is said by its name, with what to do; a camera that fails to open can be tried again.
func TestRpicamMissing(t *testing.T) {
	cfg := config.Default()
	cfg.Camera.Source, cfg.Camera.CSI.Program = config.Rpicam, filepath.Join(t.TempDir(), "rpicam-vid")
	for range 2 {
		_, err := openSource(cfg, clock.System(time.Time{}))
		capture.Unregister(cameraLabel)
		if err == nil || !strings.HasSuffix(err.Error(), "install it: `sudo apt install rpicam-apps-lite`") {
			t.Errorf("got %v", err)
		}
	}
}

// What the camera says of its exposure reaches the detector: a picture that stays the same although it is exposed four times
// as long is of a room that got dark.
func TestExposureReachesDetector(t *testing.T) {
	adapter, err := synthetic.New(synthetic.Config{Width: 64, Height: 48, Rate: capture.Rate{Num: 10, Den: 1}, Held: ring})
	c := path(t, adapter, err)
	for n := range 60 {
		frame, err := c.source.Read()
		if err != nil {
			t.Fatal(err)
		}
		frame.Light.Exposure = 0.01
		if n == 59 {
			frame.Light.Exposure = 0.04
		}
		picture, pts := frame.Retain(), frame.PTS
		c.step(frame)
		if n > 57 {
			if r := c.detector.Process(motion.Plane(picture.Luma()), pts+time.Millisecond); (r.Why == motion.Light) != (n == 59) {
				t.Errorf("frame %d: %q", n, r.Why)
			}
		}
		picture.Release()
	}
}

func next(tb testing.TB, c *camera) {
	frame, err := c.source.Read()
	if err != nil {
		tb.Fatal(err)
	}
	c.step(frame)
}

// The watchdog hears of a live source that gives no more frames, and of nothing else.
func TestAlive(t *testing.T) {
	adapter, err := synthetic.New(synthetic.Config{Width: 64, Height: 48, Rate: capture.Rate{Num: 30, Den: 1}, Speed: 1})
	c := path(t, adapter, err)
	if err := c.Alive(); err != nil {
		t.Errorf("before the first frame: %v", err)
	}
	c.start = time.Now().Add(-time.Minute)
	c.seen.Store(int64(59 * time.Second))
	if err := c.Alive(); err != nil {
		t.Errorf("a second after a frame: %v", err)
	}
	c.seen.Store(int64(30 * time.Second))
	if err := c.Alive(); err == nil {
		t.Error("half a minute without a frame counts as alive")
	}
}
