// SPDX-License-Identifier: Apache-2.0

package privacy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// told notes changes.
type told []string

func (l *told) hear(on bool, by string) {
	if on {
		by = "+" + by
	} else {
		by = "-" + by
	}
	*l = append(*l, by)
}

func TestAnybodyClosesAndOnlyTheyOpen(t *testing.T) {
	var heard told
	m := Open(filepath.Join(t.TempDir(), "privacy"), DefaultConfig(), heard.hear)
	if m.Closed() || m.Holds() {
		t.Fatal("a new camera is private")
	}
	changed := m.Changed()
	if err := m.Set(Hub, true); err != nil || !m.Closed() {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("the change is not told to who waits")
	}
	if err := m.Set(Switch, true); err != nil {
		t.Error(err)
	}
	if err := m.Set(Hub, false); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "switch") || !m.Closed() {
		t.Errorf("the hub opened what the switch closed: %v", err)
	}
	if err := m.Set(Owner, true); err != nil {
		t.Error(err)
	}
	if err := m.Set(Switch, false); !errors.Is(err, ErrHeld) {
		t.Errorf("the switch opened what the owner closed: %v", err)
	}
	if err := m.Set(Hub, false); !errors.Is(err, ErrHeld) || !m.Closed() {
		t.Errorf("the hub opened what the owner closed: %v", err)
	}
	m.Set(Hub, true)
	if err := m.Set(Owner, false); err != nil || m.Closed() {
		t.Errorf("the owner cannot open what the hub closed: %v", err)
	}
	if want := (told{"+hub", "-owner"}); !slices.Equal(heard, want) {
		t.Errorf("told %q, want %q", heard, want)
	}
}

func TestSurvivesRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy")
	m := Open(file, DefaultConfig(), nil)
	for _, by := range []string{Owner, Switch} {
		if err := m.Set(by, true); err != nil {
			t.Fatal(err)
		}
	}
	m = Open(file, DefaultConfig(), nil)
	if got := m.By(); !slices.Equal(got, []string{Switch, Owner}) {
		t.Errorf("after a restart it is wanted by %q", got)
	}
	m.Set(Switch, false)
	m.Set(Owner, false)
	if m = Open(file, DefaultConfig(), nil); m.Closed() {
		t.Error("closed by nobody")
	}
}

// A file that cannot be read may have said "closed".
func TestDamagedFileCloses(t *testing.T) {
	for _, text := range []string{"", "{", `{"wants":["owner"`, `{"wants":["somebody-of-tomorrow"]}`, "\x00\x00"} {
		file := filepath.Join(t.TempDir(), "privacy")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m := Open(file, DefaultConfig(), nil)
		if !m.Closed() || m.Trouble() == nil {
			t.Errorf("%q: closed %t, trouble %v", text, m.Closed(), m.Trouble())
		}
		if err := m.Set(Local, false); err != nil || m.Closed() || m.Trouble() != nil {
			t.Errorf("%q: it cannot be opened again: %v", text, err)
		}
	}
}

// A card that fails keeps no sensor open, and it is said.
func TestClosesOnFailingCard(t *testing.T) {
	m := Open(filepath.Join(t.TempDir(), "privacy"), DefaultConfig(), nil)
	m.sync = func(*os.File) error {
		if !m.Closed() {
			t.Error("it was open while the card was asked")
		}
		return errors.New("input/output error")
	}
	if err := m.Set(Owner, true); err == nil || errors.Is(err, ErrHeld) || !m.Closed() || m.Trouble() == nil {
		t.Errorf("closed %t: %v", m.Closed(), err)
	}
	m.sync = (*os.File).Sync
	if err := m.Set(Owner, false); err != nil || m.Closed() || m.Trouble() != nil {
		t.Errorf("closed %t: %v", m.Closed(), err)
	}
}

func span(t *testing.T, text string) Span {
	t.Helper()
	s, err := ParseSpan(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchedule(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy")
	cfg := Config{Schedule: []Span{span(t, "mon-fri 08:00-17:00")}, Uploads: Hold}
	var heard told
	m := Open(file, cfg, heard.hear)
	monday := time.Date(2026, time.November, 23, 7, 59, 0, 0, time.UTC)
	m.Tick(monday, true)
	if m.Closed() {
		t.Error("closed before its time")
	}
	m.Tick(monday.Add(time.Minute), true)
	if !m.Closed() || !m.Holds() {
		t.Error("open in its time")
	}
	if m = Open(file, cfg, heard.hear); !m.Closed() {
		t.Error("open after a restart in its time")
	}
	m.Tick(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), false)
	if !m.Closed() {
		t.Error("a clock that was never set opened the sensor")
	}
	m.Tick(monday.Add(10*time.Hour), true)
	if m.Closed() || m.Holds() {
		t.Error("closed after its time")
	}
	if want := (told{"+schedule", "-schedule"}); !slices.Equal(heard, want) {
		t.Errorf("told %q, want %q", heard, want)
	}
	m.Tick(monday.Add(time.Hour), true)
	if m = Open(file, DefaultConfig(), nil); m.Closed() {
		t.Error("a schedule that was taken away holds")
	}
}

func TestSpans(t *testing.T) {
	at := func(day int, clock string) time.Time { // 22 November 2026 is a sunday
		c, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, time.November, 22+day, c.Hour(), c.Minute(), 0, 0, time.UTC)
	}
	for _, c := range []struct {
		span string
		t    time.Time
		want bool
	}{
		{"22:00-06:00", at(0, "22:00"), true}, {"22:00-06:00", at(1, "05:59"), true}, {"22:00-06:00", at(1, "06:00"), false},
		{"sat 20:00-08:00", at(6, "19:59"), false}, {"sat 20:00-08:00", at(6, "20:00"), true}, {"sat 20:00-08:00", at(7, "07:59"), true},
		{"sat 20:00-08:00", at(6, "07:59"), false}, {"fri-mon 10:00-11:00", at(0, "10:30"), true}, {"fri-mon 10:00-11:00", at(2, "10:30"), false},
		{"mon 00:00-23:59", at(1, "12:00"), true}, {"mon 00:00-23:59", at(2, "12:00"), false},
	} {
		if got := span(t, c.span).Contains(c.t); got != c.want {
			t.Errorf("%s contains %s: %t", c.span, c.t.Format("Mon 15:04"), got)
		}
	}
	for _, bad := range []string{"", "8-17", "08:00", "08:00-08:00", "mon", "mon-", "monday 08:00-17:00", "24:00-01:00", "08:00-17:00 mon", "mon-fri 8:00-17:00", "-mon 08:00-17:00"} {
		if _, err := ParseSpan(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzSpan(f *testing.F) {
	f.Add("mon-fri 08:00-17:00")
	f.Add("22:00-06:00")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpan(text)
		if err != nil {
			return
		}
		again, err := ParseSpan(s.String())
		if err != nil || again != s {
			t.Fatalf("%q: %v, %v", text, again, err)
		}
		s.Contains(time.Unix(1e9, 0))
	})
}

func TestValidate(t *testing.T) {
	for _, c := range []Config{{}, {Uploads: "now"}, {Uploads: Send, Schedule: make([]Span, maxSpans+1)}} {
		if c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
