// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"sync"
	"time"
)

const (
	outputBound = 16 << 10        // bytes that wait for the line: a second and a half at 115200 bit/s
	patience    = 2 * time.Second // for a line that takes nothing; from then on everything is dropped until it takes something
	chunk       = 256             // bytes a write
)

// An output is the queue in front of a line: bounded, and dropping what does not fit. A visitor's commands may wait for room for
// some time, so that a slow line loses nothing; a line that takes nothing costs them that wait once.
type output struct {
	mu      sync.Mutex
	waiting []byte
	stuck   bool  // the line takes nothing
	dropped int64 // bytes, in all

	more chan struct{} // has room for one: something waits
	room chan struct{} // has room for one: something went
	done <-chan struct{}
}

func newOutput(done <-chan struct{}) *output {
	return &output{more: make(chan struct{}, 1), room: make(chan struct{}, 1), done: done}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write implements [io.Writer]. It takes all of p or drops a part, and never fails: nobody behind it has to care. One goroutine may
// wait in it, the visitor's.
func (o *output) Write(p []byte) (int, error) {
	size := len(p)
	var timer *time.Timer
	for {
		o.mu.Lock()
		n := min(len(p), outputBound-len(o.waiting))
		o.waiting = append(o.waiting, p[:n]...)
		p = p[n:]
		stuck := o.stuck
		if stuck {
			o.dropped += int64(len(p))
		}
		o.mu.Unlock()
		wake(o.more)
		if len(p) == 0 || stuck {
			return size, nil
		}
		if timer == nil {
			timer = time.NewTimer(patience)
			defer timer.Stop()
		}
		if n > 0 {
			timer.Reset(patience) // it moves
		}
		select {
		case <-o.room:
		case <-o.done:
			return size, nil
		case <-timer.C:
			o.mu.Lock()
			o.stuck = true
			o.mu.Unlock()
		}
	}
}

// drain is the goroutine of the line: it writes until the line fails or ctx ends. write must return within a moment: what it did not
// take is tried again.
func (o *output) drain(ctx context.Context, write func([]byte) (int, error)) error {
	buf := make([]byte, 0, chunk)
	for {
		o.mu.Lock()
		buf = append(buf[:0], o.waiting[:min(chunk, len(o.waiting))]...)
		o.mu.Unlock()
		if len(buf) == 0 {
			select {
			case <-o.more:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		n, err := write(buf)
		if n > 0 {
			o.mu.Lock()
			o.waiting = o.waiting[:copy(o.waiting, o.waiting[n:])]
			o.stuck = false
			o.mu.Unlock()
			wake(o.room)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// lost returns how many bytes were dropped.
func (o *output) lost() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}

// whole queues p if there is room for all of it, and drops it otherwise: half a frame is worth nothing. Any goroutine may call it.
func (o *output) whole(p []byte) {
	o.mu.Lock()
	if len(p) <= outputBound-len(o.waiting) {
		o.waiting = append(o.waiting, p...)
	} else {
		o.dropped += int64(len(p))
	}
	o.mu.Unlock()
	wake(o.more)
}
