// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// How a hub that went silent is found. A sound connection hears something each keepAlive and a quarter at the latest: the
// answer to a ping, an acknowledgement, or the welcome that a busy hub repeats. What is left of silence is for a slow network.
const (
	keepAlive = 8 * time.Second
	silence   = 14 * time.Second // without a byte from the hub, or in which the network took none of ours
)

// errSilent is returned when nothing was heard for the span of silence: a frozen hub, or a network that swallows everything.
var errSilent = errors.New("the hub is silent")

// pulse is a connection, below TLS, that fails when the other side says nothing, or takes nothing, for a while. paho's own
// time-outs do not see that: its ping waits behind the chunk that a frozen hub does not take, and its write time-out is for
// a whole message, which a slow link needs minutes for.
type pulse struct {
	net.Conn
	silence time.Duration // 0: never, a test's

	mu          sync.Mutex
	read, write time.Time // deadlines that were asked for; zero: none
}

func (p *pulse) Read(b []byte) (int, error) {
	if err := p.Conn.SetReadDeadline(p.until(&p.read)); err != nil {
		return 0, err
	}
	n, err := p.Conn.Read(b)
	return n, p.silent(err, &p.read)
}

// Write is called by TLS for each record of at most 16 KiB.
func (p *pulse) Write(b []byte) (int, error) {
	if err := p.Conn.SetWriteDeadline(p.until(&p.write)); err != nil {
		return 0, err
	}
	n, err := p.Conn.Write(b)
	return n, p.silent(err, &p.write)
}

// until returns when a call that begins now has to be over.
func (p *pulse) until(asked *time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silence == 0 {
		return *asked
	}
	until := time.Now().Add(p.silence)
	if !asked.IsZero() && asked.Before(until) {
		until = *asked
	}
	return until
}

// silent says so when a call ended by our deadline and not by one that was asked for.
func (p *pulse) silent(err error, asked *time.Time) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !asked.IsZero() && !time.Now().Before(*asked) {
		return err
	}
	return fmt.Errorf("%w: nothing for %v", errSilent, p.silence)
}

// The deadlines of a call under way come nearer, but are not put off: silence holds without anybody asking for it.

func (p *pulse) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

func (p *pulse) SetReadDeadline(t time.Time) error {
	return p.ask(&p.read, t, p.Conn.SetReadDeadline)
}

func (p *pulse) SetWriteDeadline(t time.Time) error {
	return p.ask(&p.write, t, p.Conn.SetWriteDeadline)
}

func (p *pulse) ask(asked *time.Time, t time.Time, set func(time.Time) error) error {
	p.mu.Lock()
	*asked = t
	p.mu.Unlock()
	if t.IsZero() || p.silence > 0 && t.After(time.Now().Add(p.silence)) {
		return nil
	}
	return set(t)
}
