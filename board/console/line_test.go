// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/board/console/linetest"
)

// testConfig is for a line.
func testConfig(e *linetest.Line) Config {
	cfg := DefaultConfig()
	cfg.Device = e.Path
	return cfg
}

// start runs a console until the test ends.
func start(t testing.TB, cfg Config, site Site, lock *Lock, frames Frames) *Console {
	t.Helper()
	c := New(cfg, site, lock, frames, discard())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("console ended: %v", err)
		}
	})
	return c
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not in 30 s: %s", what)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
