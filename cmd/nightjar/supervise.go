// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/motion"
)

// supervision is what the camera's task needs to keep a source going. Each stint of a source has a goroutine of its own, in stint.go,
// which opens it, reads it and takes its frames along the path, while Run looks on and never waits for the driver. Run alone
// changes what they work on, and only between two of them.
type supervision struct {
	surroundings
	open     func() (*capture.Source, error) // looks for the device anew with each call
	build    func(capture.Format) (*motion.Detector, *clip.Recorder, error)
	forget   func(*motion.Detector) // is given the detector before the sensor is closed for long; nil for nobody
	hardware bool                   // a device, which may go and come; a film that fails has failed

	stop    func()                // ends the recorder that is at work, and waits for it; nil for none
	trouble atomic.Pointer[error] // why there is no picture, though there should be
	shut    atomic.Bool           // the source is closed, by the shutter
	beats   atomic.Int64          // when Run looked last, since start
	stuck   *stint                // one that was given up: its driver does not return
	zero    time.Time             // when PTS 0 was
	dark    darkness
}

// surroundings are whom the camera's task asks, and tells.
type surroundings struct {
	clock   clock.Clock
	teller  teller
	ladder  ladder
	shutter shutter     // nil for one that is always open
	mayMove func() bool // whether what moves counts; nil: always
}

// darkness is a time without picture.
type darkness struct {
	reason string    // as a loss says it; empty while there is a picture
	wall   time.Time // when it began
	since  time.Time // likewise, by the monotonic clock
}

// teller signs what happens to the camera.
type teller interface {
	event(code, by, detail string)
	blind(reason string, from, to time.Time)
}

// A ladder says what to do when opening the source again does not help.
type ladder interface {
	// dark is asked while there has been no picture for so long: nil goes on trying. stuck says that the driver does not return.
	dark(d time.Duration, stuck bool) error
	// bright is told that there have been frames for so long.
	bright(d time.Duration)
}

// A shutter says when the sensor has to be closed.
type shutter interface {
	Closed() bool
	Changed() <-chan struct{} // closed with the next change
}

const (
	lookEach    = 200 * time.Millisecond
	closeWithin = 2 * time.Second // that a driver has to return in
	firstPause  = 200 * time.Millisecond
	lastPause   = 4 * time.Second // between two attempts: a device that returns is used within 5 s
	openWithin  = 15 * time.Second
	deadAfter   = 10 * time.Second // how long nobody may look after the camera
)

var (
	errStall = fmt.Errorf("no frame for %v", stalled)
	errHangs = errors.New("the driver does not return")
	errShut  = errors.New("the sensor is closed by privacy mode")
)

// Run keeps the source going until ctx ends, or a film does, and then ends the recorder's input and waits until it has recorded.
// The end of a film is no error. It fails when opening the source again does not help any more; the error says what is next.
func (c *camera) Run(ctx context.Context) error {
	defer close(c.done)
	defer c.endRecorder()
	defer c.lighten(c.now) // what is dark was so until now
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if c.closed() {
			c.private(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		lived, err := c.live(ctx)
		c.seen.Store(0)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errShut):
			pause = firstPause
			continue
		case errors.Is(err, io.EOF) && !c.super.hardware:
			c.log.Info("source ended", "source", c.name())
			return nil
		case !c.super.hardware:
			return fmt.Errorf("read frame: %w", err)
		}
		if lived {
			pause = firstPause
		}
		c.fails(err)
		if err := c.super.ladder.dark(time.Since(c.super.dark.since), errors.Is(err, errHangs)); err != nil {
			return err
		}
		c.rest(ctx, pause)
	}
}

// live is one stint of the source. lived tells whether there were frames.
func (c *camera) live(ctx context.Context) (lived bool, err error) {
	if s := c.super.stuck; s != nil {
		if !s.over() { // one goroutine may hang, not one for each attempt
			return false, fmt.Errorf("the camera is not opened again: %w", errHangs)
		}
		c.super.stuck = nil
	}
	l := newStint(c)
	go l.run()
	err = c.watch(ctx, l)
	c.brighten(l)
	if c.recorder != nil {
		c.recorder.Gap()
	}
	return l.seen.Load() > 0, err
}

// watch looks on until the stint has ended, or has to.
func (c *camera) watch(ctx context.Context, l *stint) error {
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	opened, limit := l.opened, openWithin
	for {
		c.beat()
		var changed <-chan struct{}
		if c.super.shutter != nil {
			changed = c.super.shutter.Changed()
		}
		if c.closed() {
			return errors.Join(errShut, c.end(l))
		}
		select {
		case src := <-opened:
			opened, limit = nil, stalled
			if err := c.fit(ctx, src); err != nil {
				return errors.Join(err, c.end(l))
			}
			l.touch()
			close(l.begin)
		case <-l.ended:
			return l.err
		case <-ctx.Done():
			return c.end(l)
		case <-changed:
		case <-tick.C:
			c.brighten(l)
			if c.super.hardware && l.idle() > limit {
				return errors.Join(errStall, c.end(l))
			}
		}
	}
}

// end closes the source and waits for the goroutine. A driver that does not return is left behind: its goroutine ends when it
// does, and touches nothing.
func (c *camera) end(l *stint) error {
	l.close()
	var late <-chan time.Time
	if c.super.hardware { // a film that is written without a loss may wait for the encoder
		timer := time.NewTimer(closeWithin)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-l.ended:
		return nil
	case <-late:
		c.super.stuck = l
		return errHangs
	}
}

// fit makes detector and recorder for a source, or goes on with those of the one before if it is of the same kind.
func (c *camera) fit(ctx context.Context, src *capture.Source) error {
	if c.recorder == nil || c.format() != src.Format() {
		c.endRecorder()
		det, rec, err := c.super.build(src.Format())
		if err != nil {
			return err
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			rec.Run(ctx) // always returns nil
		}()
		c.super.stop = func() { rec.Finish(); <-ended }
		c.detector, c.recorder = det, rec
	}
	c.use(src, c.detector, c.recorder)
	return nil
}

// endRecorder waits until everything is recorded.
func (c *camera) endRecorder() {
	if c.super.stop != nil {
		c.super.stop()
		c.super.stop = nil
	}
	c.recorder = nil
}

// fails notes that there is no picture, and why.
func (c *camera) fails(err error) {
	c.super.trouble.Store(&err)
	if c.super.dark.reason == record.Stall {
		return
	}
	c.log.Error("the camera gives no frames: opening it again", "code", "camera-stalled", "err", err)
	c.darken(record.Stall, c.lastSeen())
	c.super.teller.event(record.CameraStalled, record.Agent, err.Error())
	c.isReady() // an absent camera is a state that can be seen; nobody should wait for it
}

// darken begins a time without picture, and ends another.
func (c *camera) darken(reason string, at time.Time) {
	c.lighten(func() time.Time { return at })
	c.super.dark = darkness{reason, at, time.Now()}
}

// lighten ends a time without picture, and declares it.
func (c *camera) lighten(at func() time.Time) {
	d := c.super.dark
	if d.reason == "" {
		return
	}
	c.super.dark = darkness{}
	c.super.trouble.Store(nil)
	c.super.teller.blind(d.reason, d.wall, at())
}

// brighten notes that frames come again.
func (c *camera) brighten(l *stint) {
	began := l.seen.Load()
	if began == 0 {
		return
	}
	if d := c.super.dark; d.reason != "" {
		c.log.Info("the camera gives frames again", "code", "camera-back", "after", time.Since(d.since).Round(time.Millisecond), "source", c.name())
		c.lighten(func() time.Time { return l.first.Time })
	}
	if c.super.ladder != nil {
		c.super.ladder.bright(time.Since(c.start) - time.Duration(began))
	}
}

// lastSeen is the wall time of the last frame; now if there was none.
func (c *camera) lastSeen() time.Time {
	if c.frames.Load() > 0 {
		return c.wall.Time
	}
	return c.now()
}

func (c *camera) now() time.Time {
	if c.super.clock == nil {
		return time.Now()
	}
	return c.super.clock.Now().Time
}

func (c *camera) isReady() { c.readies.Do(func() { close(c.ready) }) }

func (c *camera) closed() bool { return c.super.shutter != nil && c.super.shutter.Closed() }

// private keeps the sensor closed until it may be open again. What was being recorded is recorded to its end, and then nothing
// of the picture is left in memory: neither frames nor what the detector knows of the background.
func (c *camera) private(ctx context.Context) {
	c.beat()
	if c.source != nil {
		c.source.Erase()
	}
	c.endRecorder()
	if c.detector != nil && c.super.forget != nil {
		c.super.forget(c.detector)
	}
	c.detector = nil
	c.darken(record.Private, c.lastSeen())
	c.isReady()
	defer c.super.shut.Store(false)
	for {
		changed := c.super.shutter.Changed()
		if !c.closed() {
			return
		}
		c.super.shut.Store(c.super.stuck == nil || c.super.stuck.over())
		timer := time.NewTimer(lookEach)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		c.beat()
	}
}

// rest waits between two lives.
func (c *camera) rest(ctx context.Context, d time.Duration) {
	c.beat()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c *camera) beat() { c.super.beats.Store(int64(time.Since(c.start))) }

// Alive implements [task.Alive]. That there is no picture is the supervisor's to mend, within bounds that are its own; it is dead
// when it looks no more, as when a frame does not get along the path.
func (c *camera) Alive() error {
	if !c.super.hardware {
		return c.stall()
	}
	if d := time.Since(c.start) - time.Duration(c.super.beats.Load()); d > deadAfter {
		return fmt.Errorf("nobody has looked after the camera for %v", d.Round(time.Second))
	}
	return nil
}
