// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/board/watchdog"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
)

// A feeder is the task that feeds the board's watchdog while the others are alive. A frozen agent feeds nobody, and the board
// starts anew.
type feeder struct {
	cfg    config.Watchdog
	open   func(path string, timeout time.Duration) (dog, error)
	living func() error // what is wrong with the other tasks
	uptime func() time.Duration
	began  func(reset string) // told, perhaps again, what the watchdog knows of the board's last start; "" for nothing
	health *health.Record
	log    *slog.Logger
	ready  chan struct{}
	starve bool // it is not fed, and that was said
}

// dog is what the task needs of package watchdog.
type dog interface {
	Feed() error
	Close(disarm bool) error
	Timeout() time.Duration
	Identity() string
	Fired() bool
}

const (
	// settled is how long a board has to run until a task that is stuck may cost a restart: a camera that is broken for good
	// must not have its board start again and again. What freezes the agent itself always does.
	settled      = time.Hour
	lookForDog   = 30 * time.Second
	feedsPerTime = 3
)

func newFeeder(cfg config.Watchdog, living func() error, began func(string), h *health.Record, log *slog.Logger) *feeder {
	f := &feeder{cfg: cfg, living: living, uptime: uptime, began: began, health: h, log: log, ready: make(chan struct{})}
	f.open = func(path string, timeout time.Duration) (dog, error) { return watchdog.Open(path, timeout) }
	close(f.ready)
	return f
}

func (f *feeder) String() string         { return "watchdog " + f.cfg.Device }
func (f *feeder) Ready() <-chan struct{} { return f.ready }

// Run feeds until ctx ends, and disarms the watchdog then. A board without one works as well, and says so.
func (f *feeder) Run(ctx context.Context) error {
	for {
		d, err := f.open(f.cfg.Device, f.cfg.Timeout)
		f.health.Set(health.NoWatchdog, err)
		f.began(reset(d, err))
		if err == nil {
			err = f.feed(ctx, d)
			f.health.Set(health.NoWatchdog, err)
		}
		select {
		case <-time.After(lookForDog):
		case <-ctx.Done():
			return nil
		}
	}
}

// reset says what a watchdog knows of the board's last start.
func reset(d dog, err error) string {
	if err != nil || !d.Fired() {
		return ""
	}
	return fmt.Sprintf("the watchdog %s ran out: the agent, or the whole board, was frozen", d.Identity())
}

// feed returns when ctx ends, or with why the watchdog cannot be fed.
func (f *feeder) feed(ctx context.Context, d dog) error {
	f.log.Info("watchdog is fed", "device", f.cfg.Device, "identity", d.Identity(), "timeout", d.Timeout())
	tick := time.NewTicker(d.Timeout() / feedsPerTime)
	defer tick.Stop()
	for {
		if f.mayLive() {
			if err := d.Feed(); err != nil {
				d.Close(false)
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return d.Close(true)
		}
	}
}

// mayLive tells whether the watchdog is to be fed.
func (f *feeder) mayLive() bool {
	err := f.living()
	starve := err != nil && f.uptime() >= settled
	if starve && !f.starve {
		f.log.Error("the watchdog is not fed any more: the board will start anew", "code", "watchdog-starved", "err", err)
	}
	f.starve = starve
	return !starve
}
