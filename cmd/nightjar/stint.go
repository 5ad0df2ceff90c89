// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
)

// A stint is one of a source: a goroutine from its opening until it fails, or is closed.
type stint struct {
	camera *camera
	opened chan *capture.Source // has room for one
	begin  chan struct{}        // closed when there is something to take frames
	quit   chan struct{}        // closed when the stint has to end
	ended  chan struct{}        // closed with the goroutine
	err    error                // why it ended; to be read after that

	mu     sync.Mutex // held while a frame is on its way
	dead   bool       // it is closed: what still comes of the driver is nobody's
	source *capture.Source

	first clock.Wall    // of the first frame; to be read when seen is set
	seen  atomic.Int64  // when the first frame came, since the camera's start; 0 for not yet
	last  atomic.Int64  // when something came of it, likewise
	pts   time.Duration // what is added to a frame's, so that the camera's time goes on
	seq   uint64
}

func newStint(c *camera) *stint {
	l := &stint{camera: c, opened: make(chan *capture.Source, 1),
		begin: make(chan struct{}), quit: make(chan struct{}), ended: make(chan struct{})}
	l.touch()
	return l
}

func (l *stint) since() int64 { return max(1, int64(time.Since(l.camera.start))) }
func (l *stint) touch()       { l.last.Store(l.since()) }

// idle is how long nothing has come of it.
func (l *stint) idle() time.Duration { return time.Duration(l.since() - l.last.Load()) }

// over tells whether the goroutine has ended.
func (l *stint) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

func (l *stint) run() {
	defer close(l.ended)
	src, err := l.camera.super.open()
	if err != nil {
		l.err = err
		return
	}
	defer src.Close()
	l.mu.Lock()
	l.source = src
	dead := l.dead
	l.mu.Unlock()
	if dead { // closed while it was being opened
		return
	}
	l.opened <- src
	select {
	case <-l.begin:
	case <-l.quit:
		return
	}
	for {
		frame, err := src.Read()
		if err != nil {
			l.err = err
			return
		}
		if !l.take(frame) {
			return
		}
	}
}

// close ends the stint as soon as the driver returns, which it does not wait for. It is called once.
func (l *stint) close() {
	l.mu.Lock() // whoever has it has a frame on its way, which takes milliseconds
	defer l.mu.Unlock()
	l.dead = true
	close(l.quit)
	if l.source != nil {
		go l.source.Close() // the driver may hang here as well as in Read
	}
}

// take lets a frame along the path; false means that it is not wanted.
func (l *stint) take(frame *capture.Frame) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.camera
	if l.dead || c.closed() {
		l.err = errShut
		frame.Release()
		return false
	}
	if l.seen.Load() == 0 {
		l.continues(frame)
	}
	frame.PTS += l.pts // the driver has handed it over, and nobody else has it yet
	frame.Seq += l.seq
	wall := frame.Wall
	c.step(frame)
	l.touch()
	c.seen.Store(l.last.Load())
	if l.seen.Load() == 0 {
		l.first = wall
		l.seen.Store(l.last.Load())
		c.isReady()
	}
	return true
}

// continues makes the camera's time and count go on from the stint before, with the time that has passed since.
func (l *stint) continues(frame *capture.Frame) {
	c := l.camera
	if c.frames.Load() == 0 {
		c.super.zero = time.Now().Add(-frame.PTS)
		return
	}
	interval := time.Duration(float64(time.Second) / max(1, c.format().FrameRate))
	l.pts = max(time.Since(c.super.zero), c.pts+interval) - frame.PTS
	l.seq = c.seq - frame.Seq // what was missed nobody has counted: the gap is declared as a span
}
