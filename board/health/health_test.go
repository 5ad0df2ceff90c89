// SPDX-License-Identifier: Apache-2.0

package health

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// record returns a record whose time goes on by a second with each look, and its log.
func record() (*Record, *bytes.Buffer) {
	var log bytes.Buffer
	now := noon
	return New(slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { now = now.Add(time.Second); return now }), &log
}

func TestEachConditionIsComplete(t *testing.T) {
	code := regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	seen := map[Code]bool{}
	for _, c := range Conditions() {
		if seen[c.Code] {
			t.Errorf("%s is there twice", c.Code)
		}
		seen[c.Code] = true
		if !code.MatchString(string(c.Code)) {
			t.Errorf("code %q is not in kebab case", c.Code)
		}
		if c.Severity.rank() < 0 {
			t.Errorf("%s: severity %q is unknown", c.Code, c.Severity)
		}
		if c.Title == "" || c.Remedy == "" || strings.HasSuffix(c.Title, ".") || strings.HasSuffix(c.Remedy, ".") {
			t.Errorf("%s: title %q and remedy %q must be there, without a period", c.Code, c.Title, c.Remedy)
		}
		if found, ok := Find(c.Code); !ok || found != c {
			t.Errorf("%s is not found", c.Code)
		}
	}
}

func TestTroubleBeginsAndEnds(t *testing.T) {
	r, log := record()
	r.Set(HubUnreachable, errors.New("no route to host"))
	r.Set(HubUnreachable, errors.New("connection refused")) // the same trouble, with news
	r.Set(DiskFull, nil)                                    // no trouble: no event either
	got := r.Troubles()
	if len(got) != 1 || got[0].Code != HubUnreachable || got[0].Detail != "connection refused" || !got[0].Since.Equal(noon.Add(time.Second)) {
		t.Fatalf("troubles are %+v", got)
	}
	r.Set(HubUnreachable, nil)
	r.Set(HubUnreachable, nil)
	if got := r.Troubles(); len(got) != 0 || got == nil {
		t.Errorf("afterwards: %#v", got)
	}
	events := r.Events()
	if len(events) != 2 || !events[0].Began || events[1].Began || events[0].Detail != "no route to host" {
		t.Errorf("events are %+v", events)
	}
	if n := strings.Count(log.String(), "code=hub-unreachable"); n != 2 {
		t.Errorf("the log names it %d times, want once at each end:\n%s", n, log)
	}
	if !strings.Contains(log.String(), "nightjar doctor") {
		t.Errorf("the log does not say what to do:\n%s", log)
	}
}

func TestWorstComesFirst(t *testing.T) {
	r, _ := record()
	for _, c := range []Code{UploadPaused, SpoolFull, HubUnreachable, CameraStalled} {
		r.Set(c, errors.New("x"))
	}
	var got []Code
	for _, tr := range r.Troubles() {
		got = append(got, tr.Code)
	}
	if want := []Code{CameraStalled, SpoolFull, HubUnreachable, UploadPaused}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("order is %v, want %v", got, want)
	}
}

func TestEventsAreBounded(t *testing.T) {
	r, _ := record()
	for range maxEvents {
		r.Set(DiskFull, errors.New("full"))
		r.Set(DiskFull, nil)
	}
	events := r.Events()
	if len(events) != maxEvents {
		t.Fatalf("%d events are kept, want %d", len(events), maxEvents)
	}
	if last := events[maxEvents-1]; last.Began || !last.Time.After(events[0].Time) {
		t.Errorf("the newest is %+v after %+v", last, events[0])
	}
}

func TestDetailIsBounded(t *testing.T) {
	r, _ := record()
	for n := maxDetail - 2; n <= maxDetail+2; n++ {
		r.Set(CardFails, errors.New(strings.Repeat("x", n)+"ää"))
		d := r.Troubles()[0].Detail
		if len(d) > maxDetail || !utf8.ValidString(d) || len(d) < maxDetail-1 {
			t.Errorf("detail of %d bytes is kept as %d, valid %v", n+4, len(d), utf8.ValidString(d))
		}
	}
}

func TestUnknownCodePanics(t *testing.T) {
	r, _ := record()
	defer func() {
		if recover() == nil {
			t.Error("a code without a row was taken")
		}
	}()
	r.Set("no-such-thing", nil)
}

func TestTroubleAsJSON(t *testing.T) {
	r, _ := record()
	r.Set(CardFails, errors.New("input/output error"))
	b, err := json.Marshal(r.Troubles())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"code":"card-fails"`, `"severity":"critical"`, `"remedy":"`, `"detail":"input/output error"`, `"since":"2026-`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	r := New(slog.New(slog.DiscardHandler), time.Now)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 500 {
				c := table[(i+n)%len(table)].Code
				r.Set(c, errors.New("x"))
				r.Troubles()
				r.Events()
				r.Set(c, nil)
			}
		})
	}
	wg.Wait()
	if got := r.Troubles(); len(got) != 0 {
		t.Errorf("left over: %v", got)
	}
}
