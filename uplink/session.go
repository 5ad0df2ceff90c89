// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// Config of a session.
type Config struct {
	Release string // of this program, for the hub's owner to see
	Boot    string // id of this start of the board

	// Body and Details are the names of a clip's two parts in the spool.
	Body, Details string

	Newest bool  // of clips that may go the newest goes first, not the oldest
	Rate   int64 // bound of the clips' bytes on the link, bytes a second; 0 for none
	// Idle tells whether a clip may go that waits until the camera is idle. It is asked often, and must not call the
	// session; nil says yes.
	Idle func(now time.Time) bool
	// Credential, if not nil, is asked before each connection: certificates are renewed, and a hub may move. The device stays.
	Credential func() keys.Credential
}

// pace is how long a session waits. Tests are in more of a hurry.
type pace struct {
	firstRetry time.Duration // mean pause after the first failed connection
	lastRetry  time.Duration // and what it grows to
	firstHold  time.Duration // mean time that an entry is held back after the first refusal
	lastHold   time.Duration // and what it grows to
	patience   time.Duration // without an answer, an offer is made again
	lively     time.Duration // a chunk that is acknowledged in less allows for more at a time
	sluggish   time.Duration // in more, for fewer: about so long an offer may wait for what is on its way
}

var usual = pace{
	firstRetry: time.Second, lastRetry: time.Minute,
	firstHold: 10 * time.Second, lastHold: 10 * time.Minute,
	patience: 10 * time.Second,
	lively:   500 * time.Millisecond, sluggish: time.Second,
}

// Status is what a session is doing, for people to see.
type Status struct {
	Connected bool
	Since     time.Time // of the present state
	Err       error     // why it is not connected, or why the last entry was held back; nil when all is well
	Paused    bool      // no clip is sent, see [Session.Pause]
	Queue     Queue     // what waits
}

// Session is a task.
type Session struct {
	cfg   Config
	name  string
	spool *spool.Spool
	log   *slog.Logger
	ready chan struct{}

	pace pace
	// Tests replace these: to see the check missed, and to connect by other ways than TCP.
	accept func(keys.Credential, spool.Entry, []byte) error
	open   opener

	// Run's alone.
	cred   keys.Credential // of the present connection
	held   map[uint64]hold // entries that are not offered for a while
	rest   time.Time       // until then nothing is: the hub cannot store
	seen   uint64          // last entry that was there when it was decided what to do
	begun  uint64          // entry whose clip was begun last, and goes on first
	bucket bucket

	poked chan struct{} // has room for one: something is to be decided anew

	mu        sync.Mutex
	status    Status
	paused    bool
	told      map[uint64]bool // entries whose record and details the hub has; written by Run alone
	requested map[string]bool // clips
}

// hold says until when an entry is not offered, and after how long a pause.
type hold struct {
	until time.Time
	pause time.Duration
}

// New makes a session that ships the spool with the credential.
func New(cfg Config, cred keys.Credential, sp *spool.Spool, log *slog.Logger) *Session {
	return &Session{cfg: cfg, name: "uplink " + cred.Hub, cred: cred, spool: sp, log: log, ready: make(chan struct{}), pace: usual,
		accept: verifyReceipt, open: openTLS,
		held: map[uint64]hold{}, bucket: bucket{rate: cfg.Rate}, poked: make(chan struct{}, 1),
		told: map[uint64]bool{}, requested: map[string]bool{}, status: Status{Since: time.Now()}}
}

// String names the task.
func (s *Session) String() string { return s.name }

// Ready is closed as soon as Run is called: a camera without a network is a working camera.
func (s *Session) Ready() <-chan struct{} { return s.ready }

// Status may be called from any goroutine.
func (s *Session) Status() Status {
	q := s.queue()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Paused, st.Queue = s.paused, q
	return st
}

func (s *Session) connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.Connected
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
// It is called once.
func (s *Session) Run(ctx context.Context) error {
	close(s.ready)
	var last string
	for pause := s.pace.firstRetry; ; pause = min(2*pause, s.pace.lastRetry) {
		err := s.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if s.connected() { // it had worked: begin with short pauses again
			pause = s.pace.firstRetry
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
	if s.cfg.Credential != nil {
		s.cred = s.cfg.Credential()
	}
	l, err := dial(ctx, s.cfg, s.cred, s.open, s.spool.Usage)
	if err != nil {
		return explain(err)
	}
	defer l.close()
	l.flow = newFlow(s.pace)
	s.set(true, nil)
	s.log.Info("connected to the hub", "hub", s.cred.Hub)
	for {
		changed := s.spool.Changed()
		entry, job, pause := s.next(time.Now())
		if job != noJob {
			err = s.ship(ctx, l, entry, job)
		} else {
			l.latest = reply{}
			err = l.idle(ctx, changed, s.poked, pause)
		}
		if err != nil {
			return explain(err)
		}
	}
}

// hold puts an entry aside, each time for longer, so that what the hub does not take holds up nothing else.
func (s *Session) hold(e spool.Entry, err *stuck) {
	h := s.held[e.Seq]
	h.pause = min(max(2*h.pause, s.pace.firstHold), s.pace.lastHold)
	h.until = time.Now().Add(jitter(h.pause))
	s.held[e.Seq] = h
	if err.code == wire.CodeStorage { // it would take no other entry either
		s.rest = h.until
	}
	s.set(true, err)
	s.log.Warn("entry is held back", "seq", e.Seq, "clip", e.ID, "code", string(err.code), "until", h.until, "err", err)
}

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
