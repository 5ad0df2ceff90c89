// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/pion/mediadevices/pkg/prop"
)

// Film is a prepared sequence of frames, made by a file or a program. A [Player] plays it; one goroutine
// uses it at a time.
type Film interface {
	// Next draws the next frame into f, or passes over it when f is nil. It returns false when there is
	// a place but no picture in it, as in an AVI whose writer dropped a frame, and io.EOF at the end.
	Next(f *Frame) (drawn bool, err error)
	// Rewind makes the first frame the next one.
	Rewind() error
	Close() error
}

// Playback says how a film is played.
type Playback struct {
	// Speed 0 plays as fast as the reader takes frames and loses none. Any other speed is a live source:
	// 1 is real time, 10 is ten times as fast.
	Speed float64
	// Loop plays the film again and again; PTS and Seq go on rising.
	Loop bool
	// Frames is the size of the pool beyond Held, 0 means 32.
	Frames int
	// Held is how many bytes of frames the consumers keep (a pre-roll ring!). The pool has room for them: at
	// speed 0 a source whose frames are all held waits for ever.
	Held int64
	// Clock tells the wall time of the first frame, and is asked every second whether it knows better by now; nil means the
	// system's.
	Clock clock.Clock
}

// Validate returns an error for a speed that is no finite number from 0 up, or a negative number of frames.
func (p Playback) Validate() error {
	if !(p.Speed >= 0) || math.IsInf(p.Speed, 1) { // NaN fails every comparison
		return fmt.Errorf("speed %g: must be 0 (as fast as possible) or a positive factor", p.Speed)
	}
	if p.Frames < 0 || p.Held < 0 {
		return fmt.Errorf("pool of %d frames and %d bytes: must not be negative", p.Frames, p.Held)
	}
	return nil
}

// Player is the [Reader] of a film. The film's own timeline counts: frame n has the PTS n ÷ rate, and the
// wall time is that of the start plus PTS, so that a fast replay keeps all durations. A clock that is set while the film plays
// moves the start.
//
// A live player paces itself by the monotonic clock. It drops frames while the pool is empty, and when
// the reader is late by more than the pool could have buffered.
type Player struct {
	film    Film
	rate    Rate
	play    Playback
	pool    *Pool
	opened  *Opening      // where the timeline starts
	backlog time.Duration // how late a frame may be read before it counts as lost
	timer   *time.Timer

	reading sync.Mutex // held by Read; Close takes it before it closes the film under a reader
	next    uint64     // number of the next frame
	ended   error      // sticky

	done chan struct{}
	stop sync.Once
}

// NewPlayer starts the timeline of a film of even width and height. The player owns the film from here on.
func NewPlayer(film Film, width, height int, rate Rate, play Playback) *Player {
	if play.Frames == 0 {
		play.Frames = 32
	}
	play.Frames += int(play.Held / int64(width*height*3/2))
	p := &Player{
		film:   film,
		rate:   rate,
		play:   play,
		pool:   NewPool(width, height, play.Frames),
		opened: NewOpening(play.Clock),
		done:   make(chan struct{}),
	}
	if p.Live() {
		p.backlog = p.real(rate.PTS(uint64(play.Frames)))
		p.timer = time.NewTimer(0)
	}
	return p
}

// Media returns the one mode of a film, for a driver's Properties.
func Media(width, height int, rate Rate) prop.Media {
	return prop.Media{Video: prop.Video{Width: width, Height: height, FrameRate: float32(rate.FPS()), FrameFormat: "I420"}}
}

// Live implements [Reader].
func (p *Player) Live() bool { return p.play.Speed > 0 }

// Read implements [Reader].
func (p *Player) Read() (image.Image, func(), error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	f, err := p.read()
	if err != nil {
		return nil, nil, err
	}
	return f, f.release, nil
}

// read plays until one frame is drawn into a frame of the pool.
func (p *Player) read() (*Frame, error) {
	for p.ended == nil {
		f, err := p.take()
		if err != nil {
			return nil, err
		}
		drawn, err := p.film.Next(f)
		if drawn && err == nil && f != nil {
			p.stamp(f)
			p.next++
			return f, nil
		}
		if f != nil {
			f.Release()
		}
		if err != nil {
			p.ended = p.end(err)
			continue
		}
		p.next++
	}
	return nil, p.ended
}

// take returns the frame to draw into; nil means that the next frame of the film is lost.
func (p *Player) take() (*Frame, error) {
	if !p.Live() {
		if f, ok := p.pool.Wait(p.done); ok {
			return f, nil
		}
		return nil, ErrClosed
	}
	late := p.opened.Since() - p.real(p.rate.PTS(p.next))
	p.timer.Reset(max(0, -late))
	select {
	case <-p.timer.C:
	case <-p.done:
		return nil, ErrClosed
	}
	if late > p.backlog {
		return nil, nil
	}
	f, _ := p.pool.Get()
	return f, nil
}

// end decides what follows the film's error: nil plays it from the beginning.
func (p *Player) end(err error) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("frame %d: %w", p.next, err)
	}
	if !p.play.Loop {
		return io.EOF
	}
	if p.next == 0 {
		return errors.New("loop over a film without frames")
	}
	return p.film.Rewind()
}

func (p *Player) stamp(f *Frame) {
	f.Seq = p.next
	f.PTS = p.rate.PTS(p.next)
	f.Wall = p.opened.At(f.PTS)
}

// real converts a duration of the film's timeline to one of ours.
func (p *Player) real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / p.play.Speed)
}

// Erase has the memory of frames overwritten, see [Source.Erase].
func (p *Player) Erase() { p.pool.Erase() }

// Close makes a waiting Read return [ErrClosed], waits until it has returned, and closes the film. It
// may be called from any goroutine, and more than once.
func (p *Player) Close() error {
	var err error
	p.stop.Do(func() {
		close(p.done)
		p.reading.Lock()
		defer p.reading.Unlock()
		p.ended = ErrClosed
		err = p.film.Close()
	})
	return err
}
