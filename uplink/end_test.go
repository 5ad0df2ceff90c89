// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// end is the hub's end of a connection, with a buffer as a kernel has. A frozen one hears nothing any more, but does not
// break: a hub whose machine hangs.
type end struct {
	net.Conn
	in       chan []byte // 16 pieces of at most 4 KiB
	rest     []byte      // of the piece that is being read
	rate     int         // bytes a second that arrive; 0: at once
	frozen   chan struct{}
	closed   chan struct{}
	deadline atomic.Pointer[time.Time] // of Read; what is in the buffer stays there
	once     sync.Once
}

func newEnd(conn net.Conn, rate int) *end {
	e := &end{Conn: conn, rate: rate, in: make(chan []byte, 16), frozen: make(chan struct{}), closed: make(chan struct{})}
	go e.fill()
	return e
}

func (e *end) fill() {
	defer close(e.in)
	for {
		b := make([]byte, 4<<10)
		n, err := e.Conn.Read(b)
		if err != nil {
			return
		}
		if e.rate > 0 {
			select {
			case <-time.After(time.Duration(n) * time.Second / time.Duration(e.rate)):
			case <-e.closed:
				return
			}
		}
		select {
		case e.in <- b[:n]:
		case <-e.closed:
			return
		}
	}
}

func (e *end) Read(b []byte) (int, error) {
	var late <-chan time.Time
	if at := e.deadline.Load(); at != nil && !at.IsZero() {
		timer := time.NewTimer(time.Until(*at))
		defer timer.Stop()
		late = timer.C
	}
	for len(e.rest) == 0 {
		select {
		case <-late:
			return 0, os.ErrDeadlineExceeded
		case <-e.frozen:
			<-e.closed
			return 0, net.ErrClosed
		case piece, ok := <-e.in:
			if !ok {
				return 0, io.EOF
			}
			e.rest = piece
		}
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *end) Write(b []byte) (int, error) {
	select {
	case <-e.frozen: // what is said goes nowhere; to block here would stop virtual time at the broker's locks
		return len(b), nil
	default:
		return e.Conn.Write(b)
	}
}

func (e *end) SetDeadline(t time.Time) error {
	e.deadline.Store(&t)
	return e.Conn.SetWriteDeadline(t)
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.deadline.Store(&t)
	return nil
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.closed) })
	return e.Conn.Close()
}
