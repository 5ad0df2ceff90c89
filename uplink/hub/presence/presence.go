// SPDX-License-Identifier: Apache-2.0

// Package presence judges which cameras are alive: [New] a roster, tell it who [Roster.Connected], who was
// [Roster.Heard], whom the hub keeps waiting ([Roster.Hold]) and who is [Roster.Gone], and ask [Roster.Check] regularly. A camera of which nothing was
// heard for longer than the bound is silent, whatever its connection looks like: a cut cable, a jammed
// radio and a stolen camera leave connections that seem to be open. Each silence is one event, and so is
// its end.
//
// The package has no clock: every time is given to it, and only differences count. Its methods may be
// called from any goroutine.
package presence

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bound is how long a camera may say nothing: with a look each second it is an alarm within 30 s. A camera
// pings more often than that.
const Bound = 25 * time.Second

// Grace is how much longer the first sign of life may take, of a camera that was just enrolled, or of any one
// when the hub starts: those that waited for it try every minute and a half at the latest, and a thousand of
// them spread themselves over 40 s more.
const Grace = 150 * time.Second

// A Camera is what is known of one.
type Camera struct {
	Device    string    `json:"device"`
	Connected bool      `json:"connected"`
	Silent    bool      `json:"silent"`         // for longer than the bound
	Heard     time.Time `json:"heard,omitzero"` // last sign of life; zero when there never was one
}

// An Event is the beginning of a silence (Silent is set) or its end.
type Event struct {
	Camera
	For time.Duration // how long nothing has been, or had been, heard
}

type state struct {
	Camera
	sessions int       // connections of the moment; two when a new one takes over
	held     int       // messages of it that the hub is at work on
	due      time.Time // silent when nothing is heard until then
	quiet    time.Time // since when, for Event.For
}

// A Roster knows the cameras that are expected to be there.
type Roster struct {
	bound  time.Duration
	mu     sync.Mutex
	states map[string]*state
}

// New returns an empty roster; bound is [Bound] but in tests.
func New(bound time.Duration) *Roster {
	return &Roster{bound: bound, states: map[string]*state{}}
}

// Expect makes devices the cameras that must be alive from now on; those that are not named are forgotten.
// heard is when a new one was heard last, zero for never.
func (r *Roster) Expect(devices []string, heard map[string]time.Time, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	want := map[string]bool{}
	for _, id := range devices {
		want[id] = true
		if r.states[id] == nil {
			r.states[id] = &state{Camera: Camera{Device: id, Heard: heard[id]}, due: now.Add(r.bound + Grace), quiet: now}
		}
	}
	maps.DeleteFunc(r.states, func(id string, s *state) bool { return !want[id] && s.sessions == 0 })
}

// Connected says that a camera has a session.
func (r *Roster) Connected(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.states[id] == nil { // enrolled a moment ago
		r.states[id] = &state{Camera: Camera{Device: id}, quiet: now}
	}
	r.states[id].sessions++
	r.hear(id, now)
}

// Gone says that a session ended. That is no alarm yet: it may come back at once.
func (r *Roster) Gone(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.states[id]; s != nil && s.sessions > 0 {
		s.sessions--
	}
}

// Heard says that bytes came from the camera.
func (r *Roster) Heard(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hear(id, now)
}

// Hold says that the hub is at work on a message of the camera and reads nothing of it until Release: that
// the hub's disk is slow is not the camera's silence.
func (r *Roster) Hold(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.states[id]; s != nil {
		s.held++
	}
}

// Release ends a Hold.
func (r *Roster) Release(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.states[id]; s != nil && s.held > 0 {
		s.held--
		r.hear(id, now)
	}
}

func (r *Roster) hear(id string, now time.Time) {
	if s := r.states[id]; s != nil {
		s.Heard, s.due = now, now.Add(r.bound)
	}
}

// Check returns what changed since the last call, by device.
func (r *Roster) Check(now time.Time) (events []Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.states {
		silent := now.After(s.due) && s.held == 0
		switch {
		case silent && !s.Silent:
			s.Silent = true
			if !s.Heard.IsZero() {
				s.quiet = s.Heard
			}
			events = append(events, Event{s.camera(), now.Sub(s.quiet)})
		case !silent && s.Silent:
			s.Silent = false
			events = append(events, Event{s.camera(), s.Heard.Sub(s.quiet)})
		}
	}
	slices.SortFunc(events, func(a, b Event) int { return strings.Compare(a.Device, b.Device) })
	return events
}

func (s *state) camera() Camera {
	c := s.Camera
	c.Connected = s.sessions > 0
	return c
}

// Cameras returns all, by device.
func (r *Roster) Cameras() []Camera {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Camera, 0, len(r.states)) // an empty list is [] in JSON, not null
	for _, s := range r.states {
		all = append(all, s.camera())
	}
	slices.SortFunc(all, func(a, b Camera) int { return strings.Compare(a.Device, b.Device) })
	return all
}
