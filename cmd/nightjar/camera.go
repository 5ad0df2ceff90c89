// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

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
	log      *slog.Logger
	ready    chan struct{} // closed with the first frame
}

func newCamera(src *capture.Source, det *motion.Detector, rec *clip.Recorder, log *slog.Logger) *camera {
	return &camera{source: src, detector: det, recorder: rec, log: log, ready: make(chan struct{})}
}

func (c *camera) String() string         { return "camera " + c.source.String() }
func (c *camera) Ready() <-chan struct{} { return c.ready }

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
			return nil
		case err != nil:
			return fmt.Errorf("read frame: %w", err)
		}
		c.step(frame)
		if first {
			close(c.ready)
		}
	}
}

// step takes one frame along the path. It allocates nothing once the recorder's ring is warm.
func (c *camera) step(frame *capture.Frame) {
	c.recorder.Push(frame, c.detector.Process(motion.Plane(frame.Luma()), frame.PTS))
	frame.Release()
}
