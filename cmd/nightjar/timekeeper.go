// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/keys"
)

// A timekeeper is the task that keeps the time that is known through a loss of power, and takes the hub's where no other
// source tells it.
type timekeeper struct {
	floor      *clock.Floor
	clock      *clock.Told
	credential func() keys.Credential
	log        *slog.Logger
	ready      chan struct{}
	stepped    func(by time.Duration) // told of a step of the clock that is worth an event; nil for nobody
}

const (
	keepEvery = time.Minute     // look whether the floor is to be written, which happens every ten minutes at most
	smallStep = 2 * time.Second // a correction that is not worth a line: the network takes its time
)

func newTimekeeper(floor *clock.Floor, c *clock.Told, credential func() keys.Credential, log *slog.Logger) *timekeeper {
	k := &timekeeper{floor: floor, clock: c, credential: credential, log: log, ready: make(chan struct{})}
	close(k.ready)
	return k
}

func (k *timekeeper) String() string         { return "timekeeper" }
func (k *timekeeper) Ready() <-chan struct{} { return k.ready }

// Run keeps the floor until ctx ends, and then once more.
func (k *timekeeper) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.keep(false)
		case <-ctx.Done():
			k.keep(true)
			return nil
		}
	}
}

// keep never ends the agent: a card that cannot be written is the spool's to tell.
func (k *timekeeper) keep(last bool) {
	if err := k.floor.Keep(k.clock.Now(), last); err != nil {
		k.log.Warn("time is not kept for the next start", "code", "clock-floor", "err", err)
	}
}

// welcome takes the hub's time. It must be within the life of the certificate, which ends the trouble that a lie can make.
func (k *timekeeper) welcome(hub time.Time) {
	step, err := k.clock.Tell(hub, k.credential().TLS.Leaf.NotAfter)
	switch {
	case err != nil:
		k.log.Warn("the hub's time is not believed", "code", "clock-hub-refused", "err", err)
	case k.clock.Now().Quality == clock.Hub && step.Abs() > smallStep:
		k.log.Warn("time is set by the hub", "code", "clock-step", "by", step)
		if k.stepped != nil {
			k.stepped(step)
		}
	}
}
