// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"time"
)

// outbox is a connection, above TLS, whose writes do not wait for the network. paho's Publish blocks while one does, and for the
// whole write time-out when the connection breaks meanwhile, whatever ctx says. What is queued is bounded by flow.
type outbox struct {
	net.Conn
	queue  chan []byte
	closed chan struct{} // by Close
	done   chan struct{} // by run
	err    error         // why, if a write failed; valid once done is closed
	once   sync.Once
}

// newOutbox starts the goroutine that writes; it ends with Close, or when the connection breaks.
func newOutbox(conn net.Conn) *outbox {
	// A message is written in two pieces. The rest is for pings and what else is small.
	o := &outbox{Conn: conn, queue: make(chan []byte, 2*mostFlight/leastChunk+16), closed: make(chan struct{}), done: make(chan struct{})}
	go o.run()
	return o
}

func (o *outbox) run() {
	defer o.Conn.Close() // which wakes the reader
	defer close(o.done)
	for {
		select {
		case b := <-o.queue:
			if _, err := o.Conn.Write(b); err != nil {
				o.err = err
				return
			}
		case <-o.closed:
			for {
				select {
				case b := <-o.queue:
					if _, err := o.Conn.Write(b); err != nil {
						return
					}
				default:
					return
				}
			}
		}
	}
}

func (o *outbox) Write(b []byte) (int, error) {
	select {
	case o.queue <- bytes.Clone(b):
		return len(b), nil
	case <-o.done:
		return 0, net.ErrClosed
	}
}

// Read tells why the connection was closed on this side: paho takes that for its own doing, and tells nobody of the loss.
func (o *outbox) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	if err != nil {
		select {
		case <-o.done:
			if o.err != nil {
				err = fmt.Errorf("write: %w", o.err)
			}
		default:
		}
	}
	return n, err
}

// Close sends what is queued, if the network takes it soon.
func (o *outbox) Close() error {
	o.once.Do(func() { close(o.closed) })
	timer := time.NewTimer(goodbye / 2)
	defer timer.Stop()
	select {
	case <-o.done:
	case <-timer.C:
	}
	return o.Conn.Close()
}

// A write has its deadline in pulse.

func (o *outbox) SetWriteDeadline(time.Time) error { return nil }
func (o *outbox) SetDeadline(t time.Time) error    { return o.Conn.SetReadDeadline(t) }
