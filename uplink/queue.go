// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"errors"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/policy"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// job is what is next to be done for an entry.
type job int

const (
	noJob    job = iota
	announce     // offer the record, and send the details; for an entry without a clip that is all
	sendBody     // send the clip
)

// poll is how often it is looked whether a clip may go that waits for a quiet moment.
const poll = 5 * time.Second

// Queue is how many entries wait in the spool, by what they wait for.
type Queue struct {
	New     int `json:"new"`     // the hub does not have their record and details
	Now     int `json:"now"`     // their clip goes as soon as the link lets it
	Idle    int `json:"idle"`    // it goes when the camera is idle
	Request int `json:"request"` // when it is asked for
	Never   int `json:"never"`   // not at all
}

// wants says when the clip of an entry is to go. What is not known goes only on request: it was written by another release.
func (s *Session) wants(e spool.Entry) policy.When {
	switch w := policy.When(e.Note); {
	case w == policy.Never:
		return policy.Never
	case w == "" || w == policy.Now || s.requested[e.ID]:
		return policy.Now
	case w == policy.Idle:
		return policy.Idle
	}
	return policy.Request
}

// holdsBack is what keeps the clip of an entry from following its record; empty for nothing, or nothing but the link.
func (s *Session) holdsBack(e spool.Entry) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if when := s.wants(e); when != policy.Now && !e.Evicted && len(e.Parts) > 0 {
		return string(when)
	}
	return ""
}

// due tells whether the clip of an entry may go now; again is when to look again, 0 for not before something happens.
func (s *Session) due(e spool.Entry) (ok bool, again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused {
		return false, 0
	}
	if s.covered(e) {
		return false, poll
	}
	switch s.wants(e) {
	case policy.Now:
		return true, 0
	case policy.Idle:
		return s.cfg.Idle == nil || s.cfg.Idle(time.Now()), poll
	}
	return false, 0
}

// covered tells whether nothing of an entry may be sent now, since it shows a picture.
func (s *Session) covered(e spool.Entry) bool {
	return s.cfg.Hold != nil && len(e.Parts) > 0 && !e.Evicted && s.cfg.Hold()
}

// isNew tells whether the hub does not have record and details of an entry, or could have it all: it has no clip any more.
func (s *Session) isNew(e spool.Entry) bool { return !s.told[e.Seq] || e.Evicted || len(e.Parts) == 0 }

// next returns what is to be done now. If there is nothing, it returns the time until there may be.
func (s *Session) next(now time.Time) (e spool.Entry, j job, pause time.Duration) {
	if pause = s.rest.Sub(now); pause > 0 {
		return spool.Entry{}, noJob, pause
	}
	pause = s.pace.lastHold
	for x, ok := s.spool.Next(0); ok; x, ok = s.spool.Next(x.Seq) {
		s.seen = x.Seq
		if left := s.held[x.Seq].until.Sub(now); left > 0 {
			pause = min(pause, left)
			continue
		}
		if s.covered(x) {
			pause = min(pause, poll)
			continue
		}
		if s.isNew(x) {
			if j != announce || s.cfg.Newest {
				e, j = x, announce
			}
			continue
		}
		if j == announce {
			continue
		}
		ok, again := s.due(x)
		switch {
		case ok && (j == noJob || s.cfg.Newest && e.Seq != s.begun || x.Seq == s.begun):
			e, j = x, sendBody
		case !ok && again > 0:
			pause = min(pause, again)
		}
	}
	return e, j, pause
}

// yields tells whether sending an entry's clip has to stop for now: something newer is to be announced, or it may not go on.
func (s *Session) yields(e spool.Entry) bool {
	_, newer := s.spool.Next(s.seen)
	ok, _ := s.due(e)
	return newer || !ok
}

// Pause stops or resumes the sending of clips; records and details go on. It lasts until it is undone or the program ends.
// It may be called from any goroutine.
func (s *Session) Pause(pause bool) {
	s.mu.Lock()
	s.paused = pause
	s.mu.Unlock()
	s.poke()
}

// Paused tells whether the sending of clips is stopped.
func (s *Session) Paused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}

// ErrNever says that a clip's policy keeps it on the camera, whoever asks.
var ErrNever = errors.New("its upload policy is never")

// Request lets a clip go that waits for it, also after a restart; where the disk cannot keep that, it goes for as long as the
// program runs. The error wraps [ErrNever], or says that there is no such clip here. It may be called from any goroutine, and waits
// for the disk.
func (s *Session) Request(clip string) error {
	for e, ok := s.spool.Next(0); ok; e, ok = s.spool.Next(e.Seq) {
		if e.ID != clip || e.Evicted || len(e.Parts) == 0 {
			continue
		}
		if policy.When(e.Note) == policy.Never {
			return fmt.Errorf("request clip %s: %w", clip, ErrNever)
		}
		s.mu.Lock()
		s.requested[clip] = true
		s.mu.Unlock()
		s.poke()
		if err := s.spool.Renote(e.Seq, string(policy.Now)); err != nil {
			if still, _ := s.spool.Next(e.Seq - 1); still.Seq == e.Seq { // else it has gone meanwhile
				s.log.Warn("a clip that was asked for is forgotten at a restart", "clip", clip, "err", err)
			}
		}
		return nil
	}
	return fmt.Errorf("request clip %.80q: it is not on this camera: it was sent, or given up for want of room", clip)
}

// poke wakes the session up when it waits.
func (s *Session) poke() {
	select {
	case s.poked <- struct{}{}:
	default:
	}
}

// queue counts what waits.
func (s *Session) queue() (q Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e, ok := s.spool.Next(0); ok; e, ok = s.spool.Next(e.Seq) {
		if s.isNew(e) {
			q.New++
			if e.Evicted || len(e.Parts) == 0 {
				continue // nothing else of it waits
			}
		}
		switch s.wants(e) {
		case policy.Now:
			q.Now++
		case policy.Idle:
			q.Idle++
		case policy.Request:
			q.Request++
		case policy.Never:
			q.Never++
		}
	}
	return q
}
