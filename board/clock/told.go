// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"fmt"
	"sync"
	"time"
)

// A Told is the board's clock, put right by what the hub says the time is. The system's clock is not touched: it may belong to
// others, and a time source may still come. Its methods may be called from any goroutine.
type Told struct {
	floor  *Floor
	system Clock

	mu   sync.Mutex
	hub  time.Time // what the hub said
	when time.Time // and our clock then, whose monotonic reading counts from there on
}

// NewTold returns a clock, such as [Floor.System], to be told.
func NewTold(floor *Floor, system Clock) *Told { return &Told{floor: floor, system: system} }

// Now returns the system's time where a time source disciplines it; else what the hub said and what has passed since, and the
// system's if it said nothing.
func (t *Told) Now() Wall {
	w := t.system.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.Quality == Synced || t.hub.IsZero() {
		return w
	}
	return Wall{t.hub.Add(time.Since(t.when)), Hub}
}

// Tell takes the time that the hub says it is. It must not be before the floor, or after latest, such as the end of the
// certificate that the hub is known by: the error says so, and nothing changes. step is how far our time moves by it.
func (t *Told) Tell(hub, latest time.Time) (step time.Duration, err error) {
	if floor := t.floor.At(); hub.Before(floor) {
		return 0, fmt.Errorf("the hub says that it is %s, but it has been %s: its clock is wrong", hub.Format(time.RFC3339), floor.Format(time.RFC3339))
	}
	if hub.After(latest) {
		return 0, fmt.Errorf("the hub says that it is %s, after %s: its clock is wrong", hub.Format(time.RFC3339), latest.Format(time.RFC3339))
	}
	before := t.Now()
	t.mu.Lock()
	t.hub, t.when = hub, time.Now()
	t.mu.Unlock()
	return t.Now().Time.Sub(before.Time).Round(time.Millisecond), nil
}
