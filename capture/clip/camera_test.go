// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/motion"
)

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// shortConfig has 0.7 s before the motion and 0.5 s after it.
func shortConfig() Config {
	return Config{
		PreRoll: 500 * time.Millisecond, Margin: 200 * time.Millisecond, PostRoll: 500 * time.Millisecond,
		MaxLength: time.Minute, RingBytes: 200 * frameBytes,
	}
}

// camera is a recorder in a synctest bubble with a source of frames in front of it and fakes behind it.
type camera struct {
	*Recorder
	t        *testing.T
	pool     *capture.Pool
	encoders *fakeEncoders
	sink     *fakeSink
	cancel   context.CancelFunc

	seq   uint64
	pts   time.Duration
	onset time.Duration // of the motion that goes on; negative if none does
}

// bubble runs a test with a camera. At the end all frames and encoders must have been given back.
func bubble(t *testing.T, cfg Config, test func(t *testing.T, c *camera)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := &camera{t: t, pool: capture.NewPool(width, height, 256), encoders: &fakeEncoders{}, sink: &fakeSink{},
			cancel: cancel, onset: -1}
		c.Recorder = NewRecorder(cfg, format, c.encoders.new, c.sink, quietLog)
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		<-c.Ready()
		test(t, c)
		c.Finish()
		<-c.Done()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		cancel()
		if free := c.pool.Free(); free != c.pool.Frames() {
			t.Errorf("%d of %d frames are free at the end", free, c.pool.Frames())
		}
		if c.encoders.open != 0 {
			t.Errorf("%d encoders are open at the end", c.encoders.open)
		}
	})
}

// play pushes a frame for each character, 100 ms apart: '.' nothing moves, 'o' the first sign of motion, 'm' motion. At '~'
// the camera stalls for a second. Recording catches up after each frame as far as it can.
func (c *camera) play(script string) {
	c.t.Helper()
	for _, sign := range script {
		if sign == '~' {
			c.pts += time.Second
			time.Sleep(time.Second)
			continue
		}
		if sign == '.' {
			c.onset = -1
		} else if c.onset < 0 {
			c.onset = c.pts
		}
		f := newFrame(c.t, c.pool, c.seq, c.pts)
		res := motion.Result{Motion: sign == 'm', Onset: c.onset, Why: motion.Quiet}
		if res.Motion {
			res.Score, res.Why = float64(c.seq+1)/1000, motion.Moving
			res.Boxes, res.Zones = []motion.Box{{X1: 1, Y1: float64(c.seq)}}, []string{"door"}
		}
		c.Push(f, res)
		f.Release()
		c.seq++
		c.pts += interval
		time.Sleep(interval)
		synctest.Wait()
	}
}

// finish ends the input and waits until everything is recorded.
func (c *camera) finish() {
	c.Finish()
	<-c.Done()
}
