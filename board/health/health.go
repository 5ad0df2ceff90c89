// SPDX-License-Identifier: Apache-2.0

// Package health knows what can be wrong with a camera and what to do about it. [Conditions] is the table; a [Record], made by
// [New], holds which of them are true now: [Record.Set] begins or ends one, [Record.Troubles] lists them worst first,
// [Record.Events] tells what came and went.
//
// A condition has one code, which stands in the log, in `nightjar status`, and in what the camera tells the hub. Codes are
// stable: they are only added to.
package health

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Severity says how much a condition matters.
type Severity string

const (
	Notice   Severity = "notice"   // somebody wanted it so, or it heals by itself
	Warning  Severity = "warning"  // the camera works, but something will be missing if it lasts
	Critical Severity = "critical" // what the camera is for does not happen
)

func (s Severity) rank() int { return slices.Index([]Severity{Critical, Warning, Notice}, s) }

// Trouble is a condition that is true.
type Trouble struct {
	Condition
	Detail string    `json:"detail"` // the error's text, at most 512 bytes
	Since  time.Time `json:"since"`  // by the board's clock
}

// Event is a condition that began or ended.
type Event struct {
	Code   Code      `json:"code"`
	Began  bool      `json:"began"`
	Detail string    `json:"detail,omitempty"`
	Time   time.Time `json:"time"`
}

const (
	maxDetail = 512 // bytes
	maxEvents = 64  // kept; the oldest goes
)

// Record is what is wrong now, and what was lately. Its methods may be called from any goroutine.
type Record struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	troubles map[Code]Trouble
	events   []Event
}

// New returns an empty record that logs what begins and ends; now tells the time.
func New(log *slog.Logger, now func() time.Time) *Record {
	return &Record{log: log, now: now, troubles: map[Code]Trouble{}}
}

// Set says whether a condition is true: it is while err is not nil. The same condition with another error is the same trouble.
// A code that the table does not have is a mistake of the caller, and panics.
func (r *Record) Set(code Code, err error) {
	c, ok := Find(code)
	if !ok {
		panic(fmt.Sprintf("health: no condition %q", code))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, was := r.troubles[code]
	switch {
	case err == nil && was:
		delete(r.troubles, code)
		r.event(Event{Code: code, Time: r.now()})
		r.log.Info("over: "+c.Title, "code", string(code), "after", r.now().Sub(old.Since).Round(time.Second))
	case err != nil && was:
		old.Detail = cut(err.Error())
		r.troubles[code] = old
	case err != nil:
		t := Trouble{Condition: c, Detail: cut(err.Error()), Since: r.now()}
		r.troubles[code] = t
		r.event(Event{Code: code, Began: true, Detail: t.Detail, Time: t.Since})
		r.log.Log(context.Background(), c.level(), c.Title, "code", string(code), "err", t.Detail, "remedy", c.Remedy)
	}
}

func (r *Record) event(e Event) {
	if len(r.events) == maxEvents {
		r.events = slices.Delete(r.events, 0, 1)
	}
	r.events = append(r.events, e)
}

// Troubles returns what is wrong now: the worst first, and of the same severity the oldest.
func (r *Record) Troubles() []Trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Trouble, 0, len(r.troubles)) // [] in JSON, not null
	for _, t := range r.troubles {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), a.Since.Compare(b.Since), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// Events returns the last 64, the oldest first.
func (r *Record) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event{}, r.events...)
}

func (c Condition) level() slog.Level {
	switch c.Severity {
	case Critical:
		return slog.LevelError
	case Warning:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// cut keeps a detail short: errors of other sides stand in it.
func cut(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	end := maxDetail
	for end > 0 && s[end]&0xc0 == 0x80 { // not inside a rune
		end--
	}
	return s[:end]
}
