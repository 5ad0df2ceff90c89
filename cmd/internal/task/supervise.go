// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// supervise tells the service manager about the tasks until ctx ends.
func supervise(ctx context.Context, log *slog.Logger, m *manager, tasks []Task) {
	defer m.notify("STOPPING=1")
	for _, t := range tasks {
		select {
		case <-t.Ready():
		case <-ctx.Done():
			return
		}
	}
	log.Info("ready", "tasks", len(tasks))
	m.notify("READY=1")
	pet(ctx, log, m, tasks)
}

// pet feeds the watchdog twice per time-out, as sd_watchdog_enabled(3) recommends, while every task
// that can tell says that it is alive. A timer of its own would keep a dead camera alive.
func pet(ctx context.Context, log *slog.Logger, m *manager, tasks []Task) {
	if m.watchdog == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(m.watchdog / 2)
	defer tick.Stop()
	for {
		if alive(log, tasks) {
			m.notify("WATCHDOG=1")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Living returns the first error of the tasks that can tell whether they are alive; nil while all are. It does not block.
func Living(tasks []Task) error {
	for _, t := range tasks {
		if a, ok := t.(Alive); ok {
			if err := a.Alive(); err != nil {
				return fmt.Errorf("task %s: %w", t, err)
			}
		}
	}
	return nil
}

func alive(log *slog.Logger, tasks []Task) bool {
	err := Living(tasks)
	if err != nil {
		log.Error("a task is stuck: the watchdog is not fed", "err", err)
	}
	return err == nil
}
