// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	openEvery  = 5 * time.Second       // a port that is not there is tried again
	splitAfter = 50 * time.Millisecond // bytes that may begin a frame are text when nothing follows
)

// Frames takes frames of another protocol out of what comes, and answers them. [Console] is their only caller.
type Frames interface {
	// Split returns the text in what came; what may be the beginning of a frame is held back.
	Split(p []byte) (text []byte, frames [][]byte)
	// Held tells whether something is held back, and Release returns it: it was no frame.
	Held() bool
	Release() []byte
	// Answer does what a frame says, in a goroutine of its own, and sends frames.
	Answer(ctx context.Context, frame []byte, send func([]byte))
}

// State is what a console is doing.
type State struct {
	Device  string
	Open    bool
	Err     error // why it is not open
	Visitor Visitor
	Lost    int64         // bytes that the line did not take
	Locked  time.Duration // for how long nobody can log in
}

// A Console is the task of one port: it opens the port, again and again where it must, and serves who comes. A port that is absent is a
// state and no error.
type Console struct {
	cfg    Config
	site   Site
	lock   *Lock
	frames Frames
	log    *slog.Logger
	ready  chan struct{}

	mu    sync.Mutex
	state State
}

// New returns the task. frames may be nil.
func New(cfg Config, site Site, lock *Lock, frames Frames, log *slog.Logger) *Console {
	c := &Console{cfg: cfg, site: site, lock: lock, frames: frames, log: log, ready: make(chan struct{}), state: State{Device: cfg.Device}}
	close(c.ready)
	return c
}

func (c *Console) String() string { return "console " + c.cfg.Device }

// Ready is closed from the start: nobody waits for a cable.
func (c *Console) Ready() <-chan struct{} { return c.ready }

// State may be called from any goroutine.
func (c *Console) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	s.Locked = c.lock.Left()
	return s
}

func (c *Console) change(f func(*State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.state)
}

// Run serves until ctx ends; then it returns nil.
func (c *Console) Run(ctx context.Context) error {
	var said string
	for {
		p, err := openPort(c.cfg.Device, c.cfg.Baud)
		if err == nil {
			c.log.Info("console is open", "device", c.cfg.Device)
			c.change(func(s *State) { s.Open, s.Err = true, nil })
			err = c.serve(ctx, p)
			p.Close()
		}
		if ctx.Err() != nil {
			return nil
		}
		c.change(func(s *State) { s.Open, s.Err = false, err })
		if err != nil && err.Error() != said { // once, however often it is tried
			said = err.Error()
			c.log.Warn("console is not open; it is tried again", "device", c.cfg.Device, "err", err)
		}
		select {
		case <-time.After(openEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// serve serves an open port until it fails or ctx ends, and returns when its goroutines have.
func (c *Console) serve(ctx context.Context, p *port) error {
	ctx, cancel := context.WithCancel(ctx)
	in, out := newInput(), newOutput(ctx.Done())
	frames := make(chan []byte, 4) // more are dropped: their sender asks again
	var failed error
	var once sync.Once
	end := func(err error) {
		once.Do(func() { failed = err })
		cancel()
		in.end()
	}
	var all sync.WaitGroup
	all.Go(func() { end(c.read(ctx, p, in, frames)) })
	all.Go(func() { end(out.drain(ctx, p.Write)) })
	all.Go(func() {
		for ctx.Err() == nil && !in.isEnded() {
			newSession(c.cfg, c.site, c.lock, in, out, func(v Visitor) {
				lost := out.lost()
				c.change(func(s *State) { s.Visitor, s.Lost = v, lost })
			}).serve(ctx)
		}
	})
	if c.frames != nil {
		all.Go(func() {
			for {
				select {
				case f := <-frames:
					c.frames.Answer(ctx, f, out.whole)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	all.Wait()
	return failed
}

// read is the only reader of the port.
func (c *Console) read(ctx context.Context, p *port, in *input, frames chan<- []byte) error {
	buf := make([]byte, 1024)
	held := false
	for ctx.Err() == nil {
		n, err := p.Read(buf)
		if err != nil {
			return err
		}
		text := buf[:n]
		if c.frames != nil {
			var found [][]byte
			if text, found = c.frames.Split(text); n == 0 && held {
				text = c.frames.Release()
			}
			for _, f := range found {
				select {
				case frames <- f:
				default:
				}
			}
			if now := c.frames.Held(); now != held {
				held = now
				if err := p.wait(held); err != nil {
					return err
				}
			}
		}
		if len(text) > 0 {
			in.feed(text)
		}
		if n == 0 && p.left() {
			in.hang()
		}
	}
	return nil
}
