// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"image"
)

// Pool is a fixed set of frames of one size. Nothing is allocated after [NewPool]. All methods may be
// called from any goroutine.
type Pool struct {
	free chan *Frame
}

// NewPool allocates the given number of frames, each 1.5 × width × height bytes. It panics when the
// size does not pass [CheckSize] or when there is not at least one frame.
func NewPool(width, height, frames int) *Pool {
	if err := CheckSize(width, height); err != nil {
		panic("capture: new pool: " + err.Error())
	}
	if frames < 1 {
		panic(fmt.Sprintf("capture: new pool: %d frames", frames))
	}
	p := &Pool{free: make(chan *Frame, frames)}
	for range frames {
		f := &Frame{
			YCbCr: *image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420),
			pool:  p,
		}
		f.release = f.Release
		p.free <- f
	}
	return p
}

// Get takes a free frame, with one reference that the caller owns. It returns false when all are in use.
func (p *Pool) Get() (*Frame, bool) {
	select {
	case f := <-p.free:
		return p.take(f), true
	default:
		return nil, false
	}
}

// Wait is like Get, but waits until a frame is free or done is closed; then it returns false.
func (p *Pool) Wait(done <-chan struct{}) (*Frame, bool) {
	select {
	case f := <-p.free:
		return p.take(f), true
	case <-done:
		return nil, false
	}
}

func (p *Pool) take(f *Frame) *Frame {
	f.refs.Store(1)
	return f
}

// Free returns the number of frames that nobody holds.
func (p *Pool) Free() int { return len(p.free) }

// Frames returns the number of frames in the pool, free or not.
func (p *Pool) Frames() int { return cap(p.free) }
