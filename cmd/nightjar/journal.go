// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// A journal is what the agent signs of itself: events, and spans without picture. What comes too often is put together: a switch
// that bounces, or a camera whose plug is loose, must not fill the chain. Its task writes what was held back.
type journal struct {
	sink  *sink
	ready chan struct{}

	mu   sync.Mutex
	rows map[string]*journalRow // by what it is about; as many as there are codes and reasons
}

// journalRow is what came of one kind.
type journalRow struct {
	written []time.Time // of the last records, by the monotonic clock; at most perHour
	held    entry
}

// entry is an event, or a span without picture if it has a reason.
type entry struct {
	code, by, detail string
	reason           string
	from, to         time.Time
	count            int // 0 for nothing
}

const (
	perHour      = 6 // records of one kind; what comes beyond is counted in the next
	journalEvery = 10 * time.Second
)

func newJournal(s *sink) *journal {
	j := &journal{sink: s, ready: make(chan struct{}), rows: map[string]*journalRow{}}
	close(j.ready)
	return j
}

func (j *journal) String() string         { return "journal" }
func (j *journal) Ready() <-chan struct{} { return j.ready }

// Run writes what was held back as soon as it may be, and all of it at the end.
func (j *journal) Run(ctx context.Context) error {
	tick := time.NewTicker(journalEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			j.flush(now, false)
		case <-ctx.Done():
			j.flush(time.Now(), true)
			return nil
		}
	}
}

// event signs that something happened now; it panics on a code that package record does not know. It may be called from any
// goroutine and does not wait for the disk. The detail is for people and is cut when it is too long; nothing that only the owner
// may know belongs into it: the hub reads it.
func (s *sink) event(code, by, detail string) { s.eventSince(code, by, detail, time.Time{}) }

// eventSince is event for something that began at a time that is known, unless that is zero.
func (s *sink) eventSince(code, by, detail string, since time.Time) {
	if record.Explain(code) == "" {
		panic("nightjar: no such event: " + code)
	}
	now := instant(s.clock.Now().Time)
	from := now
	if !since.IsZero() && since.Before(now) {
		from = instant(since)
	}
	s.journal.add(entry{code: code, by: by, detail: clean(detail), from: from, to: now, count: 1})
}

// blind declares a span without picture. It may be called from any goroutine.
func (s *sink) blind(reason string, from, to time.Time) {
	if to.Before(from) { // the clock was set meanwhile: what is sure is when it ended
		from = to
	}
	s.journal.add(entry{reason: reason, from: instant(from), to: instant(to), count: 1})
}

// clean makes a detail one that a record takes.
func clean(detail string) string {
	detail = strings.ToValidUTF8(detail, "?")
	if len(detail) > record.MaxDetail {
		detail = strings.ToValidUTF8(detail[:record.MaxDetail], "")
	}
	return detail
}

func (j *journal) add(e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := e.code + "/" + e.reason
	row := j.rows[key]
	if row == nil {
		row = &journalRow{}
		j.rows[key] = row
	}
	row.held = row.held.with(e)
	j.write(row, time.Now(), false)
}

// with puts a later entry to an earlier one.
func (e entry) with(later entry) entry {
	if e.count == 0 {
		return later
	}
	later.count += e.count
	if e.from.Before(later.from) {
		later.from = e.from
	}
	if e.to.After(later.to) {
		later.to = e.to
	}
	return later
}

func (j *journal) flush(now time.Time, last bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(j.rows)) {
		j.write(j.rows[key], now, last)
	}
}

// write hands over what is held of a row, if it may be written now. The caller holds the lock.
func (j *journal) write(row *journalRow, now time.Time, last bool) {
	if row.held.count == 0 || !last && len(row.written) == perHour && now.Sub(row.written[0]) < time.Hour {
		return
	}
	if row.written = append(row.written, now); len(row.written) > perHour {
		row.written = row.written[1:]
	}
	e := row.held
	row.held = entry{}
	sign := j.sink.sign(func(r *record.Record, _ []spool.Part) { e.fill(r) })
	log := j.sink.log
	j.sink.buffer.Append("", sign, func(s spool.Entry, _ spool.Wear) {
		log.Info("event recorded", slog.Uint64("seq", s.Seq), slog.String("event", e.code+e.reason), slog.Int("count", e.count))
	})
}

func (e entry) fill(r *record.Record) {
	if e.reason != "" {
		r.Kind, r.Loss = record.KindLoss, &record.Loss{Reason: e.reason, From: e.from, To: e.to}
		return
	}
	r.Version, r.Kind = record.EventVersion, record.KindEvent
	r.Event = &record.Event{Code: e.code, By: e.by, Detail: e.detail, From: e.from, To: e.to, Count: e.count}
}
