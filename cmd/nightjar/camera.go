// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/motion"
)

// camera is the frame path: source, detector, recorder, in one goroutine at a time. The detector takes a
// fraction of a frame interval, so the driver's own frame pool is the mailbox: when this task falls
// behind, a live source drops and its sequence numbers say so. supervise.go opens the source again when it fails.
type camera struct {
	health *health.Record
	log    *slog.Logger
	ready  chan struct{} // closed with the first frame, or when it is known that none is to be expected
	done   chan struct{} // closed when everything is recorded and no frame comes any more

	readies sync.Once
	asks    chan func(*motion.Detector) // what others want done between two frames

	super supervision

	// Of the stint of the source that is under way; see supervise.go for whose they are.
	source   *capture.Source
	detector *motion.Detector
	recorder *clip.Recorder
	tamper   string        // what the detector said last
	seq      uint64        // of the next frame, if none is lost
	pts      time.Duration // of the last frame
	wall     clock.Wall    // likewise

	start   time.Time
	seen    atomic.Int64 // when the newest frame came, since start; 0 while none is expected
	frames  atomic.Int64 // that came
	dropped atomic.Int64 // that the source lost
	view    atomic.Pointer[view]
	taps    atomic.Pointer[func(*capture.Frame)] // looks at frames; see tap
}

// view is what others may know of the source that was opened last.
type view struct {
	name   string
	format capture.Format
}

// stalled is how long a live source may give no frame until it is opened again, and until it is a trouble.
const stalled = 5 * time.Second

func newCamera(h *health.Record, log *slog.Logger) *camera {
	return &camera{health: h, log: log, ready: make(chan struct{}), done: make(chan struct{}),
		asks: make(chan func(*motion.Detector)), start: time.Now()}
}

// use takes a source and what works on its frames.
func (c *camera) use(src *capture.Source, det *motion.Detector, rec *clip.Recorder) {
	c.source, c.detector, c.recorder = src, det, rec
	c.view.Store(&view{src.String(), src.Format()})
}

func (c *camera) String() string         { return "camera" }
func (c *camera) Ready() <-chan struct{} { return c.ready }

// Done is closed when no frame comes any more and everything is recorded.
func (c *camera) Done() <-chan struct{} { return c.done }

// name and format are of the source that was opened last; empty before the first.
func (c *camera) name() string {
	if v := c.view.Load(); v != nil {
		return v.name
	}
	return "no camera yet"
}

func (c *camera) format() capture.Format {
	if v := c.view.Load(); v != nil {
		return v.format
	}
	return capture.Format{}
}

// stall returns an error while a live source has begun and gives no frames.
func (c *camera) stall() error {
	if why := c.super.trouble.Load(); why != nil {
		return *why
	}
	seen := time.Duration(c.seen.Load())
	if seen == 0 || !c.format().Live {
		return nil
	}
	if d := time.Since(c.start) - seen; d > stalled {
		return fmt.Errorf("no frame for %v", d.Round(time.Second))
	}
	return nil
}

// step takes one frame along the path. It allocates nothing once the recorder's ring is warm.
func (c *camera) step(frame *capture.Frame) {
	c.detector.Hint(motion.Hint{Exposure: frame.Light.Exposure})
	result := c.detector.Process(motion.Plane(frame.Luma()), frame.PTS)
	if c.super.mayMove != nil && !c.super.mayMove() {
		result.Motion = false
	}
	if result.Tamper != c.tamper {
		c.report(result.Tamper, frame.PTS)
	}
	if frame.Seq > c.seq && c.frames.Load() > 0 {
		c.dropped.Add(int64(frame.Seq - c.seq))
	}
	c.seq, c.pts, c.wall = frame.Seq+1, frame.PTS, frame.Wall
	c.frames.Add(1)
	c.recorder.Push(frame, result)
	if look := c.taps.Load(); look != nil {
		(*look)(frame)
	}
	frame.Release()
	select {
	case f := <-c.asks:
		f(c.detector)
	default:
	}
}

// askWithin bounds how long a frame is waited for, between which something is to be done.
const askWithin = 10 * time.Second

// ask has f called between two frames, in the goroutine that the detector belongs to, and waits until it was.
func (c *camera) ask(ctx context.Context, f func(*motion.Detector)) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	done := make(chan struct{})
	select {
	case c.asks <- func(d *motion.Detector) { defer close(done); f(d) }:
		<-done
		return nil
	case <-ctx.Done():
		return errNoFrames
	}
}

// tampering is what the detector's words are as conditions.
var tampering = map[string]health.Code{
	motion.Black: health.PictureBlack, motion.Frozen: health.PictureFrozen, motion.Moved: health.CameraMoved,
}

// report tells of tampering that begins, or ends.
func (c *camera) report(kind string, pts time.Duration) {
	if code, ok := tampering[c.tamper]; ok {
		c.health.Set(code, nil)
	}
	if code, ok := tampering[kind]; ok {
		c.health.Set(code, fmt.Errorf("seen %v after the camera was opened", pts.Round(time.Millisecond)))
	}
	c.tamper = kind
}
