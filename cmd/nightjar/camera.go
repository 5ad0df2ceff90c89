// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/motion"
)

// camera is the frame path: source, detector, recorder, in one goroutine. The detector takes a
// fraction of a frame interval, so the driver's own frame pool is the mailbox: when this task falls
// behind, a live source drops and its sequence numbers say so.
type camera struct {
	source   *capture.Source
	detector *motion.Detector
	recorder *clip.Recorder
	health   *health.Record
	log      *slog.Logger
	ready    chan struct{} // closed with the first frame

	asks chan func(*motion.Detector) // what others want done between two frames

	tamper string // what the detector said last
	seq    uint64 // of the next frame, if none is lost

	start   time.Time
	seen    atomic.Int64 // when the newest frame came, since start; 0 while none is expected
	frames  atomic.Int64 // that came
	dropped atomic.Int64 // that the source lost
}

// stalled is how long a live source may give no frame until the watchdog is to know.
const stalled = 10 * time.Second

func newCamera(src *capture.Source, det *motion.Detector, rec *clip.Recorder, h *health.Record, log *slog.Logger) *camera {
	return &camera{source: src, detector: det, recorder: rec, health: h, log: log, ready: make(chan struct{}),
		asks: make(chan func(*motion.Detector)), start: time.Now()}
}

func (c *camera) String() string         { return "camera " + c.source.String() }
func (c *camera) Ready() <-chan struct{} { return c.ready }

// Alive implements [task.Alive]: a source that has begun and gives no frames is not.
func (c *camera) Alive() error {
	seen := time.Duration(c.seen.Load())
	if seen == 0 || !c.source.Format().Live {
		return nil
	}
	if d := time.Since(c.start) - seen; d > stalled {
		return fmt.Errorf("no frame for %v", d.Round(time.Second))
	}
	return nil
}

// Run reads until ctx ends or the source does, and ends the recorder's input. The end of a film is not an error.
func (c *camera) Run(ctx context.Context) error {
	// Read blocks in the driver; closing the source is what unblocks it.
	stop := context.AfterFunc(ctx, func() { c.source.Close() })
	defer stop()
	defer c.recorder.Finish()

	for first := true; ; first = false {
		frame, err := c.source.Read()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				frame.Release()
			}
			return nil
		case errors.Is(err, io.EOF):
			c.log.Info("source ended", "source", c.source.String())
			c.seen.Store(0)
			return nil
		case err != nil:
			return fmt.Errorf("read frame: %w", err)
		}
		c.step(frame)
		c.seen.Store(int64(time.Since(c.start)))
		if first {
			close(c.ready)
		}
	}
}

// step takes one frame along the path. It allocates nothing once the recorder's ring is warm.
func (c *camera) step(frame *capture.Frame) {
	c.detector.Hint(motion.Hint{Exposure: frame.Light.Exposure})
	result := c.detector.Process(motion.Plane(frame.Luma()), frame.PTS)
	if result.Tamper != c.tamper {
		c.report(result.Tamper, frame.PTS)
	}
	if frame.Seq > c.seq && c.frames.Load() > 0 {
		c.dropped.Add(int64(frame.Seq - c.seq))
	}
	c.seq = frame.Seq + 1
	c.frames.Add(1)
	c.recorder.Push(frame, result)
	frame.Release()
	select {
	case f := <-c.asks:
		f(c.detector)
	default:
	}
}

// ask has f called between two frames, in the goroutine that the detector belongs to, and waits until it was.
func (c *camera) ask(ctx context.Context, f func(*motion.Detector)) error {
	ctx, cancel := context.WithTimeout(ctx, stalled)
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
