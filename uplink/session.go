// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
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

	// Floor, if not nil, tells the latest time that is known to have been: certificates are checked at no earlier one.
	Floor func() time.Time
	// Welcome, if not nil, is told what time it is by the hub's clock. It is called from a goroutine of the connection's, and
	// must not wait.
	Welcome func(hub time.Time)

	// Command, if not nil, is given what the hub passes on as a command, unverified and of at most wire.MaxCommand bytes. It is
	// called from a goroutine of the connection's, owns the bytes, and must not wait. See [Session.Answer].
	Command func(jws []byte)

	// Credential, if not nil, is asked before each connection: certificates are renewed, and a hub may move. The device stays.
	Credential func() keys.Credential

	Newest bool  // of clips that may go the newest goes first, not the oldest
	Rate   int64 // bound of the clips' bytes on the link, bytes a second; 0 for none
	// Idle tells whether a clip may go that waits until the camera is idle. It is asked often, and must not call the
	// session; nil says yes.
	Idle func(now time.Time) bool
	// Hold tells whether nothing that shows a picture may be sent now: no clip, no details, and no record of a clip. As for Idle; nil
	// says no.
	Hold func() bool
}

// Status is what a session is doing, for people to see.
type Status struct {
	Connected bool
	Since     time.Time // of the present state
	Err       error     // why it is not connected, or why the last entry was held back; nil when all is well
	Paused    bool      // no clip is sent, see [Session.Pause]
	// Quarantined counts the entries that the hub has refused for good, by its codes; nil when there are none.
	Quarantined map[wire.Code]int
	Queue       Queue // what waits
}

// Session is a task.
type Session struct {
	cfg   Config
	name  string
	cred  keys.Credential // Run's alone
	spool *spool.Spool
	log   *slog.Logger
	ready chan struct{}

	pace pace
	// Tests replace these: to see the checks missed, and to connect by other ways than TCP.
	accept  func(keys.Credential, spool.Entry, []byte) error
	open    opener
	silence time.Duration // after which a hub is taken for dead
	limit   func(net.Conn) net.Conn

	spread atomic.Int64 // what the hub last said of it, a time.Duration

	// Run's alone.
	backoff backoff
	held    map[uint64]hold // entries that are not offered for a while
	rest    time.Time       // until then nothing is: the hub cannot store
	seen    uint64          // last entry that was there when it was decided what to do
	begun   uint64          // entry whose clip was begun last, and goes on first
	bucket  bucket

	answers chan []byte   // encoded results
	retry   atomic.Bool   // whether Retry was called
	poked   chan struct{} // has room for one: something is to be decided anew

	mu        sync.Mutex
	status    Status
	renew     func(error) // ends the present connection
	paused    bool
	aside     map[uint64]wire.Code // entries in quarantine
	told      map[uint64]bool      // entries whose record and details the hub has; written by Run alone
	requested map[string]bool      // clips
}

// New makes a session that ships the spool with the credential.
func New(cfg Config, cred keys.Credential, sp *spool.Spool, log *slog.Logger) *Session {
	return &Session{cfg: cfg, name: "uplink " + cred.Hub, cred: cred, spool: sp, log: log, ready: make(chan struct{}),
		pace: usual, backoff: backoff{pace: usual}, accept: verifyReceipt, open: openTCP, silence: silence, limit: func(c net.Conn) net.Conn { return newLimiter(c) },
		held: map[uint64]hold{}, bucket: bucket{rate: cfg.Rate}, poked: make(chan struct{}, 1), answers: make(chan []byte, maxAnswers), renew: func(error) {},
		aside: map[uint64]wire.Code{}, told: map[uint64]bool{}, requested: map[string]bool{}, status: Status{Since: time.Now()}}
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
	st.Paused, st.Queue, st.Quarantined = s.paused, q, s.quarantined()
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
	for {
		// Each turn of the loop has a context of its own, which Reconnect ends.
		turn, end := context.WithCancelCause(ctx)
		s.mu.Lock()
		s.renew = end
		s.mu.Unlock()
		err := s.serve(turn)
		worked := s.connected() && !errors.Is(err, errUnruly) // or it would be back in a second for more
		if ctx.Err() != nil {
			end(nil)
			return nil
		}
		if context.Cause(turn) == errReconnect {
			err = errReconnect
		}
		s.set(false, err)
		// The same trouble is worth one line, not one a minute.
		if text := err.Error(); text != last {
			s.log.Warn("no connection to the hub", "code", trouble(err), "hub", s.cred.Broker(), "err", err)
			last = text
		}
		s.backoff.spread = time.Duration(s.spread.Load())
		sleep(turn, s.backoff.next(worked))
		end(nil)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// errReconnect ends a connection that Reconnect was called for.
var errReconnect = errors.New("connecting anew, as was asked for")

// Reconnect ends the connection, or the pause before the next, and connects with the credential as it is now. It may be called
// from any goroutine.
func (s *Session) Reconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew(errReconnect)
}

// serve keeps one connection and ships over it until it is lost or ctx ends.
func (s *Session) serve(ctx context.Context) error {
	if s.cfg.Credential != nil {
		s.cred = s.cfg.Credential()
	}
	l, err := dial(ctx, s)
	if err != nil {
		return explain(err)
	}
	defer l.close()
	l.flow = newFlow(s.pace)
	s.set(true, nil)
	s.log.Info("connected to the hub", "hub", s.cred.Broker())
	for {
		if err := s.sendAnswers(ctx, l); err != nil {
			return explain(err)
		}
		if s.retry.Swap(false) {
			s.releaseAll()
		}
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

// welcomed takes what the hub says of itself. It runs in a goroutine of the link's.
func (s *Session) welcomed(w wire.Welcome) {
	s.spread.Store(int64(time.Duration(w.Spread) * time.Second))
	if s.cfg.Welcome != nil {
		s.cfg.Welcome(w.Time)
	}
}
