// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/cmd/internal/task"
)

func newTestRemote(t *testing.T, state string) *remote {
	t.Helper()
	base := config.Default()
	base.State = state
	return newRemote(base, slog.New(slog.DiscardHandler))
}

// life runs the trial task until it ends, or the hub is reached after a while, and an hour has passed.
func life(t *testing.T, r *remote, hub time.Duration, staged string) (lasted time.Duration, err error) {
	t.Helper()
	task := newTrial(r)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if staged != "" {
		if err := task.stage([]byte(staged)); err != nil {
			t.Fatal(err)
		}
	}
	if hub > 0 {
		time.AfterFunc(hub, task.reached)
	}
	start := time.Now()
	err = task.Run(ctx)
	return time.Since(start), err
}

const sensitive = "motion:\n  sensitivity: 2\n"

func TestRemoteConfig(t *testing.T) {
	for name, row := range map[string]struct {
		hub   time.Duration // when it is reached with the new configuration; 0: never
		limit time.Duration
		want  float64 // sensitivity in the end
		ended time.Duration
	}{
		"hub is reached":           {10 * time.Second, trialTime, 2, time.Hour},
		"at the last moment":       {trialTime - time.Second, trialTime, 2, time.Hour},
		"hub is not reached":       {0, trialTime, 1, trialTime},
		"too late":                 {trialTime + time.Second, trialTime, 1, trialTime},
		"mutant: no end of trials": {0, 2 * time.Hour, 2, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				r := newTestRemote(t, state)
				r.limit = row.limit
				if lasted, err := life(t, r, 0, sensitive); !errors.Is(err, task.ErrStop) || lasted != beforeStop || !r.again(nil) {
					t.Fatalf("staged: %v after %v", err, lasted)
				}
				if got := r.config().Motion.Sensitivity; got != 2 {
					t.Errorf("tried with %v", got)
				}
				// A crash in the trial: the next start knows nothing of it.
				if got := newTestRemote(t, state).config().Motion.Sensitivity; got != 1 {
					t.Errorf("after a crash: %v", got)
				}
				lasted, err := life(t, r, row.hub, "")
				if lasted != row.ended || r.again(err) != (row.ended < time.Hour) {
					t.Errorf("trial ended with %v after %v", err, lasted)
				}
				if got := r.config().Motion.Sensitivity; got != row.want {
					t.Errorf("then runs with %v", got)
				}
				kept := row.want
				if row.limit > trialTime {
					kept = 1
				}
				if got := newTestRemote(t, state).config().Motion.Sensitivity; got != kept {
					t.Errorf("the next start runs with %v", got)
				}
			})
		})
	}
}

func TestRemoteConfigRefuses(t *testing.T) {
	r := newTestRemote(t, t.TempDir())
	tr := newTrial(r)
	if err := tr.stage([]byte("state: /tmp")); err == nil {
		t.Error("the state's folder was moved from afar")
	}
	if err := tr.stage([]byte(sensitive)); err != nil {
		t.Fatal(err)
	}
	if err := tr.stage([]byte(sensitive)); err == nil {
		t.Error("two at once")
	}
	_ = r.turn([]byte(sensitive))
	if !r.again(nil) || newTrial(r).stage([]byte(sensitive)) == nil {
		t.Error("another one while one is tried")
	}
	// The agent does not even run with it.
	if !r.again(errors.New("no such camera")) || r.config().Motion.Sensitivity != 1 {
		t.Error("is not taken back")
	}
	if r.again(errors.New("no such camera")) || r.again(nil) {
		t.Error("would run for ever")
	}
	// A file that does not fit any more is left out.
	if err := os.WriteFile(r.path, []byte("motion: {sensitivity: 1000}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := newTestRemote(t, r.base.State).config().Motion.Sensitivity; got != 1 {
		t.Errorf("runs with %v", got)
	}
}
