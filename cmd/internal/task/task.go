// SPDX-License-Identifier: Apache-2.0

// Package task is the model of our daemons: a list of [Task] values in one error group. [Serve] runs
// them; [Signals] is the task that ends them on SIGINT or SIGTERM. Every goroutine of a daemon belongs
// to exactly one task. Under systemd (Type=notify) Serve tells the manager when all tasks are ready, pets
// its watchdog while they are alive, and says when it stops.
package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"
)

// ErrStop is what Run returns to end the whole daemon in good order, as after a signal.
var ErrStop = errors.New("stop requested")

// A Task is one part of a daemon and the owner of all goroutines it starts.
type Task interface {
	// Run does the task's work until ctx ends, and returns only when all its goroutines have. It returns
	// nil because ctx ended or there is nothing left to do (the others run on), or [ErrStop]; any other
	// error ends the daemon. Serve calls it once.
	Run(ctx context.Context) error
	// Ready is closed once the task does its work; it may stay open for ever when Run fails first.
	Ready() <-chan struct{}
	// String names the task in logs and errors, such as "uplink hub.lan:8883".
	String() string
}

// Alive is implemented by a task that can tell whether it still does its work. Serve asks from another
// goroutine, before each petting of the watchdog: an error lets the watchdog run out, and systemd restarts
// the program. The method must not block.
type Alive interface {
	Alive() error
}

// Serve runs the tasks until ctx ends, a task asks to stop, a task fails, or all have returned; then it
// stops the others and waits for them. It returns the first failure, named after its task; a panic of
// the goroutine that Run was called on is a failure too.
func Serve(ctx context.Context, log *slog.Logger, tasks ...Task) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	manager := dialManager(log)
	defer manager.close()

	var watch sync.WaitGroup
	watch.Go(func() { supervise(ctx, log, manager, tasks) })
	for _, t := range tasks {
		group.Go(func() error {
			err := run(ctx, log, t)
			if errors.Is(err, ErrStop) {
				log.Info("stopping", "task", t.String())
				stop()
				return nil
			}
			return err
		})
	}
	err := group.Wait() // ends the group's ctx as well
	watch.Wait()
	return err
}

// run gives every failure its task's name. The group keeps the first one only, so each is logged here.
func run(ctx context.Context, log *slog.Logger, t Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("task panicked", "task", t.String(), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("task %s: panic: %v", t, p)
		}
	}()
	err = t.Run(ctx)
	if err == nil || errors.Is(err, ErrStop) {
		return err
	}
	log.Error("task failed", "task", t.String(), "err", err)
	return fmt.Errorf("task %s: %w", t, err)
}
