// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

func TestLogRing(t *testing.T) {
	r := newLogRing()
	var shown bytes.Buffer
	log := r.with(cli.Log(&shown, slog.LevelInfo))
	log.Debug("hidden")
	log.Info("first", "n", 1)
	log.With("task", "camera").Warn("second")
	var got bytes.Buffer
	if err := r.print(t.Context(), &got, 10, false); err != nil || got.String() != shown.String() || strings.Count(got.String(), "\n") != 2 {
		t.Errorf("%v, ring %q, log %q", err, got.String(), shown.String())
	}
	got.Reset()
	if err := r.print(t.Context(), &got, 1, false); err != nil || !strings.Contains(got.String(), "second") || strings.Contains(got.String(), "first") {
		t.Errorf("the last line: %v, %q", err, got.String())
	}
}

// It is bounded, and what is left begins with a whole line.
func TestLogRingIsBounded(t *testing.T) {
	r := newLogRing()
	for i := range 5000 {
		fmt.Fprintf(r, "line %d %s\n", i, strings.Repeat("x", i%50))
	}
	text, end, _ := r.since(0)
	if len(text) > ringBytes || len(text) < ringBytes-200 || !bytes.HasPrefix(text, []byte("line ")) || !bytes.HasSuffix(text, []byte("x\n")) {
		t.Errorf("%d bytes, from %.20q", len(text), text)
	}
	if again, _, _ := r.since(end); len(again) != 0 {
		t.Errorf("%d bytes after the end", len(again))
	}
	r.Write([]byte(strings.Repeat("y", 2*ringBytes))) // no line has that length, and no memory either
	if text, _, _ := r.since(0); len(text) > ringBytes {
		t.Errorf("%d bytes", len(text))
	}
}

func TestLogRingFollows(t *testing.T) {
	r := newLogRing()
	fmt.Fprintln(r, "before")
	ctx, stop := context.WithCancel(t.Context())
	w := waiter{make(chan string, 10)}
	ended := make(chan error)
	go func() { ended <- r.print(ctx, &w, 5, true) }()
	if got := <-w.more; got != "before\n" {
		t.Errorf("%q", got)
	}
	fmt.Fprintln(r, "after")
	if got := <-w.more; got != "after\n" {
		t.Errorf("%q", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type waiter struct{ more chan string }

func (w *waiter) Write(p []byte) (int, error) { w.more <- string(p); return len(p), nil }
