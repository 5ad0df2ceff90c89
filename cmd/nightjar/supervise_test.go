// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/motion"
)

// witness notes what it is told, and takes clips. It is teller, ladder and sink.
type witness struct {
	mu     sync.Mutex
	events []string
	spans  []entry
	clips  []clip.Summary
	asked  []time.Duration // how long it had been dark
	stuck  bool            // in one of them
	limit  time.Duration   // of darkness, until it ends the agent; 0 for none
}

var errEnough = errors.New("enough")

func (w *witness) event(code, by, detail string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, code)
}

func (w *witness) blind(reason string, from, to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spans = append(w.spans, entry{reason: reason, from: from, to: to})
}

func (w *witness) dark(d time.Duration, stuck bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked, w.stuck = append(w.asked, d), w.stuck || stuck
	if w.limit > 0 && d > w.limit {
		return errEnough
	}
	return nil
}

func (w *witness) bright(time.Duration) {}

func (w *witness) Create(s clip.Start) (clip.Output, error) { return &witnessed{w: w}, nil }
func (w *witness) Lost(l clip.Loss)                         { w.event("lost "+l.Reason, "", "") }

type witnessed struct {
	bytes.Buffer
	w *witness
}

func (o *witnessed) Abort(error) error { o.w.event("aborted", "", ""); return nil }
func (o *witnessed) Commit(s clip.Summary) error {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	o.w.clips = append(o.w.clips, s)
	return nil
}

// supervised is a camera over a device, with everything that works on its frames. Run ends with the test.
type supervised struct {
	*camera
	*witness
	device *device
	stop   func() error
}

func supervise(t *testing.T, shutter shutter) *supervised {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := &supervised{camera: newCamera(health.New(log, time.Now), log), witness: &witness{}, device: newDevice()}
	label := t.Name()
	s.super.surroundings = surroundings{teller: s.witness, ladder: s.witness, shutter: shutter}
	s.super.hardware = true
	s.super.open = func() (*capture.Source, error) {
		capture.Unregister(label)
		if err := capture.Register(label, s.device.adapter()); err != nil {
			return nil, err
		}
		return capture.Open(label, prop.Media{})
	}
	s.super.build = func(f capture.Format) (*motion.Detector, *clip.Recorder, error) {
		cfg := motion.DefaultConfig()
		cfg.Learn = time.Second
		det, err := motion.New(cfg, f.Width, f.Height)
		return det, clip.NewRecorder(clip.DefaultConfig(), f, newEncoder, s.witness, log), err
	}
	t.Cleanup(func() { capture.Unregister(label) })
	return s
}

func (s *supervised) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.camera.Run(ctx) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
}

// within waits in the bubble's time until a condition holds.
func within(t *testing.T, d time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !holds() {
		if time.Since(start) > d {
			t.Fatalf("%s: not within %v", what, d)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(start)
}

// at returns PTS of the last frame and number of the next.
func (s *supervised) at(t *testing.T) (pts time.Duration, seq uint64) {
	t.Helper()
	if err := s.ask(t.Context(), func(*motion.Detector) { pts, seq = s.pts, s.seq }); err != nil {
		t.Fatal(err)
	}
	return pts, seq
}

func (s *supervised) more(n int64) func() bool {
	from := s.frames.Load()
	return func() bool { return s.frames.Load() >= from+n }
}

// A camera that was unplugged is used again within 5 s of its return; the clip of what moved then is whole, the time goes on,
// and what nobody saw is declared.
func TestUnpluggedCameraComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.run(t)
		within(t, 10*time.Second, "frames", s.more(30))
		s.device.set(func(d *device) { d.bright = 250 })
		within(t, 5*time.Second, "frames of what moves", s.more(15))
		pts, seq := s.at(t)
		began := time.Now()
		s.device.set(func(d *device) { d.absent = true })
		within(t, 5*time.Second, "a clip in good order", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.clips) == 1 })
		time.Sleep(20 * time.Second)
		if err := s.stall(); !errors.Is(err, errUnplugged) {
			t.Errorf("without a camera: %v", err)
		}
		if err := s.Alive(); err != nil {
			t.Errorf("while it is looked for: %v", err)
		}
		s.device.set(func(d *device) { d.absent = false })
		first := s.more(1)
		took := within(t, 5*time.Second, "frames again", first)
		away := time.Since(began)
		within(t, 5*time.Second, "frames again", s.more(10))
		if now, next := s.at(t); now < pts+away || now > pts+away+5*time.Second || next != uint64(s.frames.Load()) || next <= seq {
			t.Errorf("after %v away PTS is %v after %v, and Seq %d after %d with %d frames", away, now, pts, next, seq, s.frames.Load())
		}
		if err := s.stall(); err != nil {
			t.Errorf("with frames, %v later: %v", took, err)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if len(s.spans) != 1 || s.spans[0].reason != record.Stall || s.spans[0].to.Sub(s.spans[0].from) < 20*time.Second {
			t.Errorf("declared are %+v", s.spans)
		}
		if fmt.Sprint(s.events) != "[camera-stalled]" || s.clips[0].Frames < 15 || s.device.open != 0 {
			t.Errorf("events %v, clip %+v, %d open", s.events, s.clips[0], s.device.open)
		}
	})
}

// Neither descriptors nor goroutines are left by many returns, and each is within the bound.
func TestTwoHundredReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.run(t)
		for range 200 {
			within(t, 5*time.Second, "frames", s.more(3))
			s.device.set(func(d *device) { d.absent = true })
			within(t, time.Second, "the loss", func() bool { return s.stall() != nil })
			s.device.set(func(d *device) { d.absent = false })
		}
		within(t, 5*time.Second, "frames", s.more(3))
		if s.stop(); s.device.open != 0 || len(s.spans) != 200 {
			t.Errorf("%d are open, %d spans", s.device.open, len(s.spans))
		}
	})
}

func TestStalledCameraIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.run(t)
		within(t, 5*time.Second, "frames", s.more(5))
		s.device.set(func(d *device) { d.silent = true })
		took := within(t, 10*time.Second, "another opening", func() bool { s.device.mu.Lock(); defer s.device.mu.Unlock(); return s.device.opens == 2 })
		if took < stalled || took > stalled+time.Second {
			t.Errorf("opened again after %v, want some %v", took, stalled)
		}
		s.device.set(func(d *device) { d.silent = false })
		within(t, 5*time.Second, "frames", s.more(5))
		if err := s.stop(); err != nil || len(s.spans) != 1 || s.device.open != 0 {
			t.Errorf("%v, declared %+v, %d open", err, s.spans, s.device.open)
		}
	})
}

// A driver that does not return is left behind once, and not opened again before it does. What it gives then touches nothing.
func TestDriverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.run(t)
		within(t, 5*time.Second, "frames", s.more(5))
		hangs := make(chan struct{})
		s.device.set(func(d *device) { d.hangs = hangs })
		within(t, 20*time.Second, "the ladder hears of it", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.witness.stuck })
		time.Sleep(time.Minute)
		if s.device.opens != 1 {
			t.Errorf("opened %d times while the driver hangs", s.device.opens)
		}
		if err := s.Alive(); err != nil {
			t.Errorf("the supervisor hangs, too: %v", err)
		}
		s.device.set(func(d *device) { d.hangs = nil })
		close(hangs)
		within(t, 10*time.Second, "frames", s.more(5))
		if err := s.stop(); err != nil || s.device.open != 0 {
			t.Errorf("%v, %d open", err, s.device.open)
		}
	})
}

func TestAgentStopsThoughTheDriverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.run(t)
		within(t, 5*time.Second, "frames", s.more(5))
		hangs := make(chan struct{})
		s.device.set(func(d *device) { d.hangs = hangs })
		time.Sleep(time.Second)
		start := time.Now()
		if err := s.stop(); err != nil || time.Since(start) > closeWithin+time.Second {
			t.Errorf("stopped after %v with %v", time.Since(start), err)
		}
		close(hangs)
	})
}

func TestAnotherPictureSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.run(t)
		for _, width := range []int{192, 160, 128} {
			within(t, 10*time.Second, "frames", s.more(30))
			s.device.set(func(d *device) { d.bright = 250 })
			within(t, 5*time.Second, "frames of what moves", s.more(15))
			s.device.set(func(d *device) { d.absent = true })
			time.Sleep(time.Second)
			s.device.set(func(d *device) { d.absent, d.bright, d.width = false, 0, width })
			within(t, 5*time.Second, "frames", s.more(1))
			if got := s.format().Width; got != width {
				t.Errorf("width %d, want %d", got, width)
			}
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		var widths []int
		for _, c := range s.clips {
			widths = append(widths, c.Width)
		}
		if fmt.Sprint(widths) != "[160 192 160]" {
			t.Errorf("clips are so wide: %v", widths)
		}
	})
}

// A board whose camera is missing is ready, and says what is wrong; the camera is used when it comes.
func TestAbsentCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.device.absent = true
		s.run(t)
		<-s.Ready()
		if err := s.stall(); !errors.Is(err, errUnplugged) {
			t.Errorf("trouble is %v", err)
		}
		time.Sleep(time.Hour)
		s.device.set(func(d *device) { d.absent = false })
		within(t, 5*time.Second, "frames", s.more(3))
		if err := s.stop(); err != nil || len(s.spans) != 1 || s.spans[0].to.Sub(s.spans[0].from) < time.Hour {
			t.Errorf("%v, declared %+v", err, s.spans)
		}
	})
}

// When the ladder has enough the task fails with its word, and what nobody saw is declared until then.
func TestLadderEndsTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.limit = time.Minute
		start := time.Now()
		s.device.silent = true
		if err := s.camera.Run(t.Context()); !errors.Is(err, errEnough) {
			t.Errorf("ends with %v", err)
		}
		if d := time.Since(start); d < time.Minute || d > 2*time.Minute {
			t.Errorf("after %v", d)
		}
		<-s.Done()
		if len(s.spans) != 1 || s.device.open != 0 {
			t.Errorf("declared %+v, %d open", s.spans, s.device.open)
		}
	})
}

// A film that cannot be read has failed for good.
func TestFilmThatFailsIsNotOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervise(t, nil)
		s.super.hardware = false
		s.device.absent = true
		if err := s.camera.Run(t.Context()); !errors.Is(err, errUnplugged) || s.device.opens != 1 {
			t.Errorf("opened %d times, %v", s.device.opens, err)
		}
	})
}
