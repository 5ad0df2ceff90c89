// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/keys/record"
)

// told returns what the chain says besides clips, oldest first.
func told(t *testing.T, s *sink) (events []record.Event, losses []record.Loss) {
	t.Helper()
	for _, r := range chain(t, s) {
		if r.Event != nil {
			events = append(events, *r.Event)
		}
		if r.Loss != nil {
			losses = append(losses, *r.Loss)
		}
	}
	return events, losses
}

func TestEventsAreLinksOfTheChain(t *testing.T) {
	s, _, _ := newTestSink(t, t.TempDir())
	s.event(record.PrivacyOn, record.Hub, "")
	s.blind(record.Private, noon, noon.Add(time.Minute))
	s.event(record.PrivacyOff, record.Owner, strings.Repeat("ä", record.MaxDetail)+"\xff")
	s.blind(record.Stall, noon, noon.Add(-time.Hour)) // the clock was set back meanwhile
	flush(t, s)
	events, losses := told(t, s)
	if len(events) != 2 || len(losses) != 2 {
		t.Fatalf("events %+v, losses %+v", events, losses)
	}
	want := record.Event{Code: record.PrivacyOn, By: record.Hub, From: instant(noon), To: instant(noon), Count: 1}
	if events[0] != want {
		t.Errorf("first event is %+v, want %+v", events[0], want)
	}
	if l := losses[0]; l.Reason != record.Private || !l.To.Equal(instant(noon.Add(time.Minute))) {
		t.Errorf("span is %+v", l)
	}
	if l := losses[1]; !l.From.Equal(l.To) || !l.To.Equal(instant(noon.Add(-time.Hour))) {
		t.Errorf("span that ends before it begins is %+v", l)
	}
}

func TestUnknownEventPanics(t *testing.T) {
	s, _, _ := newTestSink(t, t.TempDir())
	defer func() {
		if recover() == nil {
			t.Error("a code that nobody can explain was signed")
		}
	}()
	s.event("no-such-thing", record.Agent, "")
}

// A thousand of one kind are a handful of records, and none of the thousand is missing in their counts.
func TestFloodOfEventsIsPutTogether(t *testing.T) {
	s, _, end := newTestSink(t, t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.journal.Run(ctx) }()
	const flood = 1000
	for range flood {
		s.event(record.TamperOpen, record.Local, "")
		s.blind(record.Stall, noon, noon.Add(time.Second))
	}
	s.event(record.TamperClosed, record.Local, "") // another kind is not held up
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	events, losses := told(t, s)
	open, closed := 0, 0
	for _, e := range events {
		switch e.Code {
		case record.TamperOpen:
			open += e.Count
		case record.TamperClosed:
			closed += e.Count
		}
	}
	if len(events) != perHour+2 || len(losses) != perHour+1 || open != flood || closed != 1 {
		t.Errorf("%d events tell of %d and %d, %d losses; want %d that tell of %d and 1, and %d losses",
			len(events), open, closed, len(losses), perHour+2, flood, perHour+1)
	}
	end()
}

// What was held back is written when an hour has passed since the first of its kind, with its span.
func TestHeldBackEventsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, end := newTestSink(t, t.TempDir())
		defer end()
		fake := s.clock.(*clock.Fake)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.journal.Run(ctx) }()
		for i := range perHour + 3 {
			fake.Set(clock.Wall{Time: noon.Add(time.Duration(i) * time.Minute), Quality: clock.Synced})
			s.event(record.ClockStep, record.Agent, "")
		}
		time.Sleep(time.Hour + 2*journalEvery)
		flush(t, s)
		events, _ := told(t, s)
		if len(events) != perHour+1 {
			t.Fatalf("events are %+v", events)
		}
		last := events[perHour]
		if last.Count != 3 || !last.From.Equal(instant(noon.Add(perHour*time.Minute))) || !last.To.Equal(instant(noon.Add((perHour+2)*time.Minute))) {
			t.Errorf("what was held back is %+v", last)
		}
		stop()
		<-ended
	})
}
