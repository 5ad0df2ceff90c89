// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"time"

	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// An entry that the hub refuses for good so many times in a row is in quarantine: it is offered once a day only, and people are
// told. It stays in the spool: the hub may have been wrong, and its record is a part of the chain.
const (
	strikes    = 3
	quarantine = 24 * time.Hour
)

// final are the refusals that no other try will change, unless somebody does something about it.
var final = map[wire.Code]bool{wire.CodeMalformed: true, wire.CodeFork: true, wire.CodeSize: true}

// hold says until when an entry is not offered, after how long a pause, and how often it was refused for good.
type hold struct {
	until   time.Time
	pause   time.Duration
	strikes int
}

// hold puts an entry aside, each time for longer, so that what the hub does not take holds up nothing else.
func (s *Session) hold(e spool.Entry, err *stuck) {
	h := s.held[e.Seq]
	h.strikes++
	if !final[err.code] {
		h.strikes = 0
	}
	h.pause = min(max(2*h.pause, s.pace.firstHold), s.pace.lastHold)
	if h.strikes >= strikes {
		h.pause = s.pace.quarantine
	}
	h.until = time.Now().Add(jitter(h.pause))
	s.held[e.Seq] = h
	if err.code == wire.CodeStorage { // it would take no other entry either
		s.rest = h.until
	}
	s.set(true, err)
	s.mu.Lock()
	_, known := s.aside[e.Seq]
	if h.strikes >= strikes {
		s.aside[e.Seq] = err.code
	}
	s.mu.Unlock()
	if h.strikes >= strikes && !known {
		s.log.Error("entry is in quarantine: the hub refuses it for good; look at the hub's log, and try again with the command upload.retry",
			"code", "quarantine-"+string(err.code), "seq", e.Seq, "clip", e.ID, "err", err)
		return
	}
	s.log.Warn("entry is held back", "seq", e.Seq, "clip", e.ID, "code", string(err.code), "until", h.until, "err", err)
}

// release forgets what held an entry back.
func (s *Session) release(e spool.Entry) {
	delete(s.held, e.Seq)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.aside, e.Seq)
}

func (s *Session) releaseAll() {
	clear(s.held)
	s.rest = time.Time{}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.aside)
}

// Retry offers at once what is held back or in quarantine. It may be called from any goroutine.
func (s *Session) Retry() {
	s.retry.Store(true)
	s.poke()
}

// quarantined counts the entries in quarantine. The caller holds the lock.
func (s *Session) quarantined() map[wire.Code]int {
	if len(s.aside) == 0 {
		return nil
	}
	n := map[wire.Code]int{}
	for _, code := range s.aside {
		n[code]++
	}
	return n
}
