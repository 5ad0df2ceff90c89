// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
)

// fakeDog notes when it was fed.
type fakeDog struct {
	fed      []time.Time
	closed   []bool
	fired    bool
	feedErr  error
	identity string
}

func (d *fakeDog) Feed() error             { d.fed = append(d.fed, time.Now()); return d.feedErr }
func (d *fakeDog) Close(disarm bool) error { d.closed = append(d.closed, disarm); return nil }
func (d *fakeDog) Timeout() time.Duration  { return 15 * time.Second }
func (d *fakeDog) Identity() string        { return d.identity }
func (d *fakeDog) Fired() bool             { return d.fired }

// feederOf is a feeder in whose board everything can be set.
func feederOf(d *fakeDog, living func() error, uptime time.Duration) (*feeder, *health.Record, *[]string) {
	var said []string
	h := health.New(slog.New(slog.DiscardHandler), time.Now)
	f := newFeeder(config.Watchdog{Device: "/dev/watchdog", Timeout: 15 * time.Second}, living, func(s string) { said = append(said, s) }, h, slog.New(slog.DiscardHandler))
	f.open = func(string, time.Duration) (dog, error) { return d, nil }
	f.uptime = func() time.Duration { return uptime }
	return f, h, &said
}

// runFor runs the task for some virtual time.
func runFor(t *testing.T, f *feeder, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := f.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestFeeder(t *testing.T) {
	stuck := func() error { return errors.New("no frame for 20s") }
	for name, row := range map[string]struct {
		living func() error
		uptime time.Duration
		fed    bool
	}{
		"all is well":                     {func() error { return nil }, 2 * time.Hour, true},
		"a task is stuck":                 {stuck, 2 * time.Hour, false},
		"stuck soon after the last start": {stuck, 50 * time.Minute, true}, // or a broken camera has its board start for ever
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &fakeDog{}
			f, _, _ := feederOf(d, row.living, row.uptime)
			runFor(t, f, time.Minute)
			if fed := len(d.fed) >= 12; fed != row.fed || !row.fed && len(d.fed) != 0 {
				t.Errorf("%s: fed %d times in a minute", name, len(d.fed))
			}
			for i := 1; i < len(d.fed); i++ {
				if gap := d.fed[i].Sub(d.fed[i-1]); gap > 15*time.Second/2 {
					t.Errorf("%s: not fed for %v", name, gap)
				}
			}
			if len(d.closed) != 1 || !d.closed[0] {
				t.Errorf("%s: closed %v, want disarmed once", name, d.closed)
			}
		})
	}
}

func TestFeederTellsOfTheLastRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for fired, want := range map[bool]string{true: "the watchdog i6300ESB ran out", false: ""} {
			f, _, said := feederOf(&fakeDog{fired: fired, identity: "i6300ESB"}, func() error { return nil }, time.Minute)
			if runFor(t, f, time.Second); len(*said) != 1 || !strings.HasPrefix((*said)[0], want) || want == "" && (*said)[0] != "" {
				t.Errorf("fired %v: said %q", fired, *said)
			}
		}
	})
}

// A board without a watchdog, and one whose watchdog fails, go on, say so, and look again.
func TestFeederWithoutADog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDog{feedErr: errors.New("input/output error")}
		f, h, _ := feederOf(d, func() error { return nil }, time.Minute)
		opened := 0
		f.open = func(string, time.Duration) (dog, error) {
			if opened++; opened < 3 {
				return nil, errors.New("the board has none")
			}
			return d, nil
		}
		runFor(t, f, 100*time.Second)
		if opened != 4 || len(d.closed) == 0 || d.closed[0] {
			t.Errorf("looked %d times, closed %v", opened, d.closed)
		}
		if tr := h.Troubles(); len(tr) != 1 || tr[0].Code != health.NoWatchdog {
			t.Errorf("troubles %+v", tr)
		}
	})
}
