// SPDX-License-Identifier: Apache-2.0

// Package uplink brings what is in the spool to the hub. Start with [New]; a [Session] is a task that connects by MQTT over
// mutually authenticated TLS 1.3, sends entry by entry, and removes one from the spool when the hub's signed receipt for it
// verifies, and for no other reason: an MQTT acknowledgement says that a broker took a message, not that a clip is stored.
package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// Config of a session.
type Config struct {
	Release string // of this program, for the hub's owner to see
	Boot    string // id of this start of the board

	// Body and Details are the names of a clip's two parts in the spool.
	Body, Details string
}

const (
	firstRetry = time.Second      // mean pause after the first failed connection
	lastRetry  = time.Minute      // and what it grows to
	patience   = 10 * time.Second // without an answer, an offer is made again
	connecting = 20 * time.Second // TCP, TLS and MQTT handshakes together
)

// Status is what a session is doing, for people to see.
type Status struct {
	Connected bool
	Since     time.Time // of the present state
	Err       error     // why it is not connected, or the hub's last refusal
}

// Session is a task.
type Session struct {
	cfg   Config
	cred  keys.Credential
	spool *spool.Spool
	log   *slog.Logger
	ready chan struct{}

	accept func(keys.Credential, spool.Entry, []byte) error // checks a receipt; tests replace it to see it missed

	mu     sync.Mutex
	status Status
}

// New makes a session that ships the spool with the credential.
func New(cfg Config, cred keys.Credential, sp *spool.Spool, log *slog.Logger) *Session {
	return &Session{cfg: cfg, cred: cred, spool: sp, log: log, ready: make(chan struct{}), accept: verifyReceipt,
		status: Status{Since: time.Now()}}
}

// String names the task.
func (s *Session) String() string { return "uplink " + s.cred.Hub }

// Ready is closed as soon as Run is called: a camera without a network is a working camera.
func (s *Session) Ready() <-chan struct{} { return s.ready }

// Status may be called from any goroutine.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Session) set(connected bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Connected != connected {
		s.status.Since = time.Now()
	}
	s.status.Connected, s.status.Err = connected, err
}

// Run connects and ships until ctx ends; it always returns nil then. A hub that cannot be reached is tried again for ever.
func (s *Session) Run(ctx context.Context) error {
	close(s.ready)
	var last string
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := s.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if s.Status().Connected { // it had worked: begin with short pauses again
			pause = firstRetry
		}
		s.set(false, err)
		// The same trouble is worth one line, not one a minute.
		if text := err.Error(); text != last {
			s.log.Warn("no connection to the hub", "hub", s.cred.Hub, "err", err)
			last = text
		}
		if !sleep(ctx, jitter(pause)) {
			return nil
		}
	}
}

// serve keeps one connection and ships over it until it is lost or ctx ends.
func (s *Session) serve(ctx context.Context) error {
	l, err := dial(ctx, s.cfg, s.cred, s.usage)
	if err != nil {
		return explain(err)
	}
	defer l.close()
	s.set(true, nil)
	s.log.Info("connected to the hub", "hub", s.cred.Hub)
	var done uint64 // entries up to here were dealt with over this connection
	for {
		changed := s.spool.Changed()
		entry, ok := s.spool.Next(done)
		if !ok {
			select {
			case <-changed:
				done = 0
				continue
			case err := <-l.lost:
				return explain(err)
			case <-ctx.Done():
				return nil
			}
		}
		switch err := s.ship(ctx, l, entry); {
		case err == nil:
			done = entry.Seq
		case errors.Is(err, errAgain):
		default:
			return explain(err)
		}
	}
}

func (s *Session) usage() (entries int, bytes int64) { return s.spool.Usage() }

// jitter spreads a pause over half to one and a half of it: after an outage a fleet must not come back in step.
func jitter(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause)
}

// sleep waits; it returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refused is the hub's refusal of an entry.
type refused struct {
	seq           uint64
	code, message string
}

func (e *refused) Error() string {
	return fmt.Sprintf("the hub refuses record %d (%s): %s", e.seq, e.code, e.message)
}
