// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// Every command of the table is built in, or says that it is not.
func TestEveryCommandHasAnAction(t *testing.T) {
	built := actions(config.Default(), nil, nil, nil, &curtain{}, nil, nil)
	for _, name := range command.Names() {
		if built[name] == nil {
			t.Errorf("%s has no action", name)
		}
		// None takes arguments that it does not know.
		if act := built[name]; act != nil {
			if _, err := act(t.Context(), json.RawMessage(`{"unknown":1}`)); err == nil || !strings.Contains(err.Error(), "unknown") {
				t.Errorf("%s takes an unknown argument: %v", name, err)
			}
		}
	}
	if len(built) != len(command.Names()) {
		t.Errorf("%d actions for %d commands", len(built), len(command.Names()))
	}
}

// A command is obeyed once, and answered as often as it is asked.
func TestCommander(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "commands")
	var results []wire.Result
	times := 0
	start := func() *commander {
		gate := command.OpenGate(path, "porch", func() []command.Signer { return []command.Signer{{Role: command.Hub, Key: public}} }, time.Now)
		return newCommander(gate, map[string]action{
			command.Pause: func(context.Context, json.RawMessage) (any, error) {
				times++
				return map[string]int{"times": times}, nil
			},
			command.Resume: func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("stuck") },
			command.Status: func(context.Context, json.RawMessage) (any, error) { return strings.Repeat("x", wire.MaxData), nil },
		}, func(r wire.Result) error { results = append(results, r); return nil }, slog.New(slog.DiscardHandler))
	}
	seq := uint64(0)
	order := func(name string) []byte {
		t.Helper()
		seq++
		now := time.Now().UTC().Truncate(time.Millisecond)
		jws, err := command.Sign(private, command.Command{Device: "porch", Seq: seq, Issued: now, Expires: now.Add(time.Minute), Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	c := start()
	want := func(ok bool, text string) {
		t.Helper()
		r := results[len(results)-1]
		if r.OK != ok || !strings.Contains(r.Message+string(r.Data), text) || r.Seq != seq || r.Signer != "hub" {
			t.Errorf("result %+v, want %v %q", r, ok, text)
		}
		if _, err := r.Marshal(); err != nil {
			t.Error(err)
		}
	}
	pause := order(command.Pause)
	c.obey(t.Context(), pause)
	want(true, `{"times":1}`)
	c.obey(t.Context(), pause) // the result was lost
	want(true, `{"times":1}`)
	start().obey(t.Context(), pause) // and then the power
	want(false, "given before")
	c.obey(t.Context(), order(command.Resume))
	want(false, "stuck")
	c.obey(t.Context(), order(command.Status))
	want(false, "more than")
	c.obey(t.Context(), order(command.Retry))
	want(false, "not built into")
	n := len(results)
	c.obey(t.Context(), []byte("e30.e30.e30"))
	if len(results) != n || times != 1 {
		t.Errorf("%d answers to nobody, obeyed %d times", len(results)-n, times)
	}
	for range 2 * maxCommands { // a flood is dropped, and holds up nobody
		c.take(pause)
	}
	for range 2 * maxAnswered {
		c.obey(t.Context(), order(command.Pause))
	}
	if len(c.answered) > maxAnswered {
		t.Errorf("remembers %d results", len(c.answered))
	}
}
