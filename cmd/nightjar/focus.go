// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/focus"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// focusEvery is how often a technician who turns the lens sees a new figure.
const focusEvery = 200 * time.Millisecond

// tap has look called with frames, at most one every so often, in the camera's goroutine, until the func it returns is called. There is
// one tap: a second takes the place of the first. look must be done with the frame when it returns.
func (c *camera) tap(every time.Duration, look func(*capture.Frame)) (stop func()) {
	var next time.Duration
	began := time.Now()
	f := func(frame *capture.Frame) {
		if now := time.Since(began); now >= next {
			next = now + every
			look(frame)
		}
	}
	c.taps.Store(&f)
	return func() { c.taps.CompareAndSwap(&f, nil) }
}

func (d *desk) focusCommand() cli.Command {
	return cli.Command{
		Name: "focus", Usage: "nightjar focus", Short: "Show how sharp the picture is, while the lens is turned",
		Long: `Shows a figure five times a second, of the middle of the picture, and the best one so far. Turn the lens until it is past the
best, and back. The figure has no unit, and depends on what is seen: let nothing move. ^C ends it.`,
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			a := d.agent.Load()
			if a == nil {
				return errNoFrames
			}
			if talk, ok := console.TalkOf(ctx); ok {
				talk.Live()
			}
			return showFocus(ctx, env, a.camera)
		},
	}
}

// showFocus rewrites one line until ctx ends.
func showFocus(ctx context.Context, env *cli.Env, c *camera) error {
	seen := make(chan float64, 1) // the newest; the camera does not wait for a line
	defer c.tap(focusEvery, func(f *capture.Frame) {
		select {
		case seen <- focus.Sharpness(f.Luma()):
		default:
		}
	})()
	var m focus.Meter
	timeout := time.NewTimer(stalled)
	defer timeout.Stop()
	for {
		select {
		case s := <-seen:
			m.Add(s)
			if _, err := fmt.Fprintf(env.Stdout, "\r%s", m.Line()); err != nil {
				return err
			}
			timeout.Reset(stalled)
		case <-timeout.C:
			return errNoFrames
		case <-ctx.Done():
			_, err := fmt.Fprintln(env.Stdout)
			return err
		}
	}
}
