// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Signals returns the task that stops the daemon on SIGINT or SIGTERM. A second signal ends the program
// at once.
func Signals(log *slog.Logger) Task {
	return &signals{log: log, ready: make(chan struct{})}
}

type signals struct {
	log   *slog.Logger
	ready chan struct{}
}

func (s *signals) String() string         { return "signals" }
func (s *signals) Ready() <-chan struct{} { return s.ready }

func (s *signals) Run(ctx context.Context) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	// Stop restores what the signals do by themselves: end the program.
	defer signal.Stop(c)
	close(s.ready)
	select {
	case sig := <-c:
		s.log.Info("signal received", "signal", sig.String())
		return ErrStop
	case <-ctx.Done():
		return nil
	}
}
