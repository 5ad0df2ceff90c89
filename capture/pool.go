// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"image"
	"sync"
)

// Pool is a bounded number of frames of one size. It has memory for those that were in use at the same time lately, and no
// more: a camera that waits needs a tenth of what it needs while the encoder falls behind. A frame that was released last is
// taken first, so that the others stay untouched; those that nobody needed for a while go. In between nothing is
// allocated. All methods may be called from any goroutine.
type Pool struct {
	width, height int
	tokens        chan struct{} // one for each frame that may be taken

	mu    sync.Mutex
	idle  []*Frame // that have memory; taken from the end
	least int      // of them were idle since the last trimming
	taken int      // frames since then
	erase bool     // frames are overwritten when they come back
}

const (
	trimEvery = 512 // frames: half a minute or so
	spare     = 2   // idle frames that stay, so that a camera that breathes allocates nothing
)

// NewPool makes a pool of so many frames, each of 1.5 × width × height bytes. It panics when the size does not pass
// [CheckSize] or when there is not at least one frame.
func NewPool(width, height, frames int) *Pool {
	if err := CheckSize(width, height); err != nil {
		panic("capture: new pool: " + err.Error())
	}
	if frames < 1 {
		panic(fmt.Sprintf("capture: new pool: %d frames", frames))
	}
	p := &Pool{width: width, height: height, tokens: make(chan struct{}, frames)}
	for range frames {
		p.tokens <- struct{}{}
	}
	return p
}

// Get takes a free frame, with one reference that the caller owns. It returns false when all are in use.
func (p *Pool) Get() (*Frame, bool) {
	select {
	case <-p.tokens:
		return p.take(), true
	default:
		return nil, false
	}
}

// Wait is like Get, but waits until a frame is free or done is closed; then it returns false.
func (p *Pool) Wait(done <-chan struct{}) (*Frame, bool) {
	select {
	case <-p.tokens:
		return p.take(), true
	case <-done:
		return nil, false
	}
}

// take returns a frame for a token that the caller has.
func (p *Pool) take() *Frame {
	f := p.pop()
	if f == nil {
		f = &Frame{
			YCbCr: *image.NewYCbCr(image.Rect(0, 0, p.width, p.height), image.YCbCrSubsampleRatio420),
			home:  p,
		}
		f.release = f.Release
	}
	f.refs.Store(1)
	return f
}

// pop takes the idle frame that was released last, nil if there is none.
func (p *Pool) pop() *Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken++; p.taken == trimEvery {
		p.trim()
	}
	n := len(p.idle)
	if n == 0 {
		p.least = 0
		return nil
	}
	f := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	p.least = min(p.least, n-1)
	return f
}

// trim lets go of the frames that were idle all the time.
func (p *Pool) trim() {
	if surplus := p.least - spare; surplus > 0 {
		n := copy(p.idle, p.idle[surplus:]) // the oldest lie at the beginning
		clear(p.idle[n:])
		p.idle = p.idle[:n]
	}
	p.least, p.taken = len(p.idle), 0
}

// put gives a frame back. It never blocks: there are as many tokens as there is room for.
func (p *Pool) put(f *Frame) {
	p.mu.Lock()
	if p.erase {
		f.erase()
	}
	p.idle = append(p.idle, f)
	p.mu.Unlock()
	p.tokens <- struct{}{}
}

// Erase overwrites the frames that nobody holds, and the others as they come back, for good.
func (p *Pool) Erase() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase = true
	for _, f := range p.idle {
		f.erase()
	}
}

// Free returns the number of frames that nobody holds.
func (p *Pool) Free() int { return len(p.tokens) }

// Frames returns the number of frames in the pool, free or not.
func (p *Pool) Frames() int { return cap(p.tokens) }

// Bytes returns the memory that the pool's idle frames have.
func (p *Pool) Bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.idle)) * int64(p.width*p.height*3/2)
}
