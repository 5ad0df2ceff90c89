// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/cmd/internal/task"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// resetState is the folder of a camera: keys, an entry, settings.
func resetState(t *testing.T) (state string) {
	t.Helper()
	state = t.TempDir()
	store, err := keys.OpenStore(keysDir(state))
	if err == nil {
		_, err = store.Identity()
	}
	if err == nil {
		err = store.SetRecipients([]byte("age1something\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	sp, err := spool.Open(spoolDir(state), spool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sp.Append("", func(uint64, [32]byte, []spool.Part) ([]byte, error) { return []byte("a record"), nil }); err != nil {
		t.Fatal(err)
	}
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{commandsFile(state), filepath.Join(state, "remote.yml"), clockFile(state), busyFile(state), busyMark(state)} {
		if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// Cut off before any change, a reset leaves a camera that does not run and a reset that can be completed; keys go first.
func TestResetCutAnywhere(t *testing.T) {
	cut := errors.New("power is gone")
	for n := 0; ; n++ {
		state := resetState(t)
		left := n
		err := (&eraser{state: state, cut: func() error {
			if left--; left < 0 {
				return cut
			}
			return nil
		}}).run()
		if err == nil {
			if n < 6 {
				t.Fatalf("complete after %d changes: nothing is tested", n)
			}
			t.Logf("cut at %d places", n)
			return
		}
		if !errors.Is(err, cut) {
			t.Fatal(err)
		}
		if got := resetting(state); got != (n > 0) {
			t.Errorf("cut %d: being reset: %v", n, got)
		}
		_, spoolErr := os.Stat(spoolDir(state))
		if _, err := os.Stat(keysDir(state)); err == nil && spoolErr != nil {
			t.Errorf("cut %d: the spool went before the keys", n)
		}
		if err := (&eraser{state: state}).run(); err != nil {
			t.Fatalf("cut %d: cannot be completed: %v", n, err)
		}
		files, err := os.ReadDir(state)
		if err != nil || len(files) != 1 || files[0].Name() != "clock" {
			t.Errorf("cut %d: left behind %v, %v", n, files, err)
		}
		if resetting(state) {
			t.Errorf("cut %d: still being reset", n)
		}
	}
}

func TestOverwrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := overwrite(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != strings.Repeat("\x00", 6) {
		t.Errorf("holds %q, %v", text, err)
	}
}

func TestResetIsNotForARunningAgent(t *testing.T) {
	state := resetState(t)
	sp, err := spool.Open(spoolDir(state), spool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	if err := (&eraser{state: state}).run(); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("reset under a running agent: %v", err)
	}
	if resetting(state) {
		t.Error("it is being reset")
	}
}

// enrolledState is resetState of a camera of a hub.
func enrolledState(t *testing.T, h *hubtest.Hub) string {
	t.Helper()
	state := resetState(t)
	store, err := keys.OpenStore(keysDir(state))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := store.Identity()
	if err != nil {
		t.Fatal(err)
	}
	c, err := enroll.Enroll(t.Context(), h.Addr, h.Token(t, "porch"), identity)
	if err == nil {
		err = store.SaveCredential(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func unclaimed(t *testing.T, h *hubtest.Hub) bool {
	t.Helper()
	a, err := archive.Open(h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	r, yes := a.Revoked("porch")
	return yes && r.Unclaimed
}

// What a command began is done when the agent ends, or starts the next time, and the hub is told with the last of the keys.
func TestResetByCommand(t *testing.T) {
	h := hubtest.Start(t)
	state := enrolledState(t, h)
	cfg := config.Default()
	cfg.State = state
	r := newResetter(state)
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	if !resetting(state) || unclaimed(t, h) {
		t.Fatal("it is not on the disk that it is reset, or the hub knows already")
	}
	// The power fails before the tasks end; the agent is started, and is told to stop at once.
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := serve(ctx, cfg, nil, false, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if resetting(state) || !unclaimed(t, h) {
		t.Error("the reset is not complete, or the hub does not know")
	}
	if _, err := os.Stat(keysDir(state)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("keys are left: %v", err)
	}
	if err := serve(t.Context(), cfg, nil, false, slog.New(slog.DiscardHandler)); !errors.Is(err, keys.ErrNotEnrolled) {
		t.Errorf("started after it: %v", err)
	}
}

// The task ends the agent, but not before the answer had its time.
func TestResetterEndsTheAgent(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r, began := newResetter(state), time.Now()
		for range 2 {
			if err := r.begin(); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Run(t.Context()); !errors.Is(err, task.ErrStop) || time.Since(began) != beforeStop {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := newResetter(state).Run(ctx); err != nil {
			t.Errorf("told to end: %v", err)
		}
	})
	if err := newResetter(filepath.Join(state, "missing")).begin(); err == nil {
		t.Error("a command is obeyed that is not on the disk")
	}
}

// Leave is taken after the mark is there and before the first key goes; that the hub is not there holds nothing up.
func TestResetTakesLeave(t *testing.T) {
	h := hubtest.Start(t)
	state := enrolledState(t, h)
	left := 0
	err := (&eraser{state: state, leave: func() {
		left++
		if !resetting(state) {
			t.Error("the hub is told of what a cut could still leave undone")
		}
		h.Stop(t)
		if err := takeLeave(t.Context(), state); err == nil {
			t.Error("took leave of a hub that is not there")
		}
	}}).run()
	if err != nil || left != 1 {
		t.Errorf("%v, took leave %d times", err, left)
	}
	if err := takeLeave(t.Context(), state); err != nil { // completed after a cut: there is nothing to prove it with
		t.Error(err)
	}
	if _, err := os.Stat(keysDir(state)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key store was made anew: %v", err)
	}
}
