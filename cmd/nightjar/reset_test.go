// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
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
	for _, path := range []string{commandsFile(state), filepath.Join(state, "remote.yml"), clockFile(state)} {
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
		if got := resetting(state); (got == nil) != (n == 0) {
			t.Errorf("cut %d: the agent may run: %v", n, got)
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
		if err := resetting(state); err != nil {
			t.Errorf("cut %d: %v", n, err)
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
	if err := resetting(state); err != nil {
		t.Error(err)
	}
}
