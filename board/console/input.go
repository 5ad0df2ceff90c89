// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// inputBound is how much may wait for the visitor's session, in bytes: a pasted signature and what was typed ahead. More is dropped.
const inputBound = 20 << 10

// Keys that are not for the line editor.
const (
	interrupt = 0x03 // ^C
	clearLine = 0x15 // ^U
)

// Reasons why a read ends.
var (
	errIdle   = errors.New("nothing was typed for a while")
	errHangup = errors.New("the line was hung up")
	errNoise  = errors.New("this is not typing")
)

// An input is what was typed and not yet read. The port's reader feeds it and never waits.
type input struct {
	mu      sync.Mutex
	waiting []byte
	partial []byte // of a character
	cr      bool   // the last byte was a carriage return
	stop    func() // ends the command that runs; nil while none does
	hangup  bool
	closed  bool
	more    chan struct{} // has room for one
	idle    time.Duration // that a read waits at most; 0 for ever. The session's own.
}

func newInput() *input { return &input{more: make(chan struct{}, 1)} }

// feed takes what came. Only what a terminal can send gets through: the line editor must not see half a character, which it would wait
// upon with all that follows.
func (i *input) feed(p []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p = append(i.partial, p...)
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(p) {
				break
			}
			p = p[1:]
			continue
		}
		i.key(p[:n])
		p = p[n:]
	}
	i.partial = append([]byte(nil), p...)
	wake(i.more)
}

func (i *input) key(k []byte) {
	after := i.cr
	i.cr = k[0] == '\r'
	switch {
	case k[0] == '\n' && after:
		return // of a CRLF
	case k[0] == '\n':
		k = []byte{'\r'} // the line editor knows no other end of a line
	case k[0] == interrupt && i.stop != nil:
		i.stop()
		return
	case k[0] == interrupt:
		k = []byte{clearLine, '\r'} // the line editor would take it for the end of all
	}
	if len(i.waiting)+len(k) <= inputBound {
		i.waiting = append(i.waiting, k...)
	}
}

// Read implements [io.Reader] for the one goroutine of the session.
func (i *input) Read(p []byte) (int, error) {
	if len(p) == 0 { // the line editor's buffer is full of a key that does not end: it would ask for ever
		return 0, errNoise
	}
	var idle <-chan time.Time
	if i.idle > 0 {
		timer := time.NewTimer(i.idle)
		defer timer.Stop()
		idle = timer.C
	}
	for {
		if n, err := i.take(p); n > 0 || err != nil {
			return n, err
		}
		select {
		case <-i.more:
		case <-idle:
			return 0, errIdle
		}
	}
}

func (i *input) take(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.hangup {
		i.hangup = false
		i.waiting = i.waiting[:0]
		return 0, errHangup
	}
	n := copy(p, i.waiting)
	i.waiting = i.waiting[:copy(i.waiting, i.waiting[n:])]
	if n == 0 && i.closed {
		return 0, io.EOF
	}
	return n, nil
}

// hang tells the session that whoever typed is gone; end that there is no line any more.
func (i *input) hang() { i.set(func() { i.hangup = true }) }
func (i *input) end()  { i.set(func() { i.closed = true; i.waiting = nil }) }

func (i *input) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
	if i.stop != nil {
		i.stop()
	}
	wake(i.more)
}

// interruptible has ^C, and the end of the line, call stop; nil for nobody to stop.
func (i *input) interruptible(stop func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stop = stop
	if stop != nil && (i.hangup || i.closed) {
		stop()
	}
}

// isEnded tells whether there is no line any more.
func (i *input) isEnded() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.closed
}
