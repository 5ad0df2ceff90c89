// SPDX-License-Identifier: Apache-2.0

package ota

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/ota/slot"
	"github.com/nightjar-cam/nightjar/ota/state"
)

// inTrial is a board that has started a new firmware, with these checks, all of which had passed before.
func inTrial(t *testing.T, checks ...Check) (*board, *Updater) {
	t.Helper()
	b, u := started(t)
	u.o.Checks = nil
	for _, c := range checks {
		u.o.Checks = append(u.o.Checks, Check{c.Name, func(context.Context) error { return nil }})
	}
	if err := u.Install(t.Context(), newerImage); err != nil {
		t.Fatal(err)
	}
	if err := u.Begin(t.Context()); !errors.Is(err, errAgain) {
		t.Fatal(err)
	}
	s, err := b.b.Start(func(slot.Slot) bool { return true })
	if err != nil || s != slot.B {
		t.Fatal(s, err)
	}
	if u, err = b.updater(s, newerImage); err != nil {
		t.Fatal(err)
	}
	u.o.Checks = checks
	if do, err := u.Settle(t.Context()); do != state.Gate || err != nil {
		t.Fatal(do, err)
	}
	return b, u
}

func TestGate(t *testing.T) {
	good := Check{"frames", func(context.Context) error { return nil }}
	bad := func(name string) Check {
		return Check{name, func(context.Context) error { return errors.New("nothing for 30 s") }}
	}
	after := func(d time.Duration) Check {
		var begun time.Time
		return Check{"hub", func(context.Context) error {
			if begun.IsZero() {
				begun = time.Now()
			}
			if time.Since(begun) < d {
				return errors.New("not reached")
			}
			return nil
		}}
	}
	hangs := Check{"storage", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	flaps := func() Check {
		n := 0
		return Check{"hub", func(context.Context) error {
			if n++; n%10 == 0 {
				return errors.New("lost")
			}
			return nil
		}}
	}
	for name, c := range map[string]struct {
		checks []Check
		passes bool
		reason string
	}{
		"works":              {[]Check{good}, true, ""},
		"blind":              {[]Check{good, bad("frames2")}, false, "frames2: nothing for 30 s"},
		"works after 4 min":  {[]Check{good, after(4 * time.Minute)}, true, ""},
		"works after 5 min":  {[]Check{good, after(5 * time.Minute)}, false, "hub: not reached"},
		"too late to hold":   {[]Check{good, after(290 * time.Second)}, false, "not steady for 30s; before: hub: not reached"},
		"a check that hangs": {[]Check{hangs, good}, false, "storage: context deadline exceeded"},
		"comes and goes":     {[]Check{flaps()}, false, "hub: lost"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, u := inTrial(t, c.checks...)
				begun := time.Now()
				err := u.Trial(t.Context())
				if took := time.Since(begun); took > 6*time.Minute {
					t.Errorf("it took %s", took)
				}
				def, _ := b.b.Backend(slot.B).Default()
				if c.passes && (err != nil || def != slot.B || u.Status().Phase != state.Committed || u.Status().Floor != 2) {
					t.Errorf("%v, default %s, %s", err, def, u.Status().Phase)
				}
				if !c.passes && (!errors.Is(err, errAgain) || def != slot.A || u.Status().Phase != state.RollingBack || !strings.Contains(u.Status().Reason, c.reason)) {
					t.Errorf("%v, default %s, %s: %q, want %q", err, def, u.Status().Phase, u.Status().Reason, c.reason)
				}
			})
		})
	}
}

// What did not work before need not work after, and what did has to, also when the new firmware does not know it.
func TestGateIsRelative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := newBoard(kinds()[0]) // its check "hub" never passes
		if err != nil {
			t.Fatal(err)
		}
		if runs, err := b.live(newerImage); runs != newerImage || err != nil {
			t.Errorf("a cable that was never there failed an update: %v", err)
		}
		_, u := inTrial(t, Check{"frames", func(context.Context) error { return nil }}, Check{"gpio", func(context.Context) error { return nil }})
		u.o.Checks = u.o.Checks[:1]
		if err := u.Trial(t.Context()); !errors.Is(err, errAgain) || !strings.Contains(u.Status().Reason, "gpio") {
			t.Errorf("a firmware without a check that passed before: %v, %q", err, u.Status().Reason)
		}
	})
}

// An agent that is stopped in a trial goes on at its next start, three times.
func TestTrialOverRestartsOfTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, u := inTrial(t, Check{"frames", func(context.Context) error { return errors.New("none") }})
		for starts := 2; ; starts++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := u.Trial(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
			var err error
			checks := u.o.Checks
			if u, err = b.updater(slot.B, newerImage); err != nil {
				t.Fatal(err)
			}
			u.o.Checks = checks
			do, err := u.Settle(t.Context())
			if starts > state.MaxStarts {
				if !errors.Is(err, errAgain) || u.Status().Phase != state.RollingBack {
					t.Errorf("start %d: %s, %v", starts, do, err)
				}
				return
			}
			if do != state.Gate || err != nil {
				t.Fatalf("start %d: %s, %v", starts, do, err)
			}
		}
	})
}

// Names that do not fit into the record are a mistake that is found before anything is armed.
func TestTooManyNames(t *testing.T) {
	_, u := started(t)
	u.o.Checks = []Check{{strings.Repeat("x", state.MaxHad+1), func(context.Context) error { return nil }}}
	if err := u.Install(t.Context(), newerImage); err != nil {
		t.Fatal(err)
	}
	if err := u.Begin(t.Context()); err == nil || errors.Is(err, errAgain) || u.Status().Phase != state.Verified {
		t.Errorf("%v, %s", err, u.Status().Phase)
	}
}

func TestTrialAndBeginNeedTheirPhase(t *testing.T) {
	_, u := started(t)
	if u.Trial(t.Context()) == nil || u.Begin(t.Context()) == nil {
		t.Error("a trial without an update")
	}
}
