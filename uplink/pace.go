// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"math/rand/v2"
	"time"
)

// pace is how long a session waits. Tests are in more of a hurry.
type pace struct {
	firstRetry time.Duration // mean pause after the first failed connection
	lastRetry  time.Duration // and what it grows to
	firstHold  time.Duration // mean time that an entry is held back after the first refusal
	lastHold   time.Duration // and what it grows to
	quarantine time.Duration // mean time that it is after too many refusals for good
	patience   time.Duration // without an answer, an offer is made again
	lively     time.Duration // a chunk that is acknowledged in less allows for more at a time
	sluggish   time.Duration // in more, for fewer: about so long an offer may wait for what is on its way
}

var usual = pace{
	firstRetry: time.Second, lastRetry: time.Minute,
	firstHold: 10 * time.Second, lastHold: 10 * time.Minute,
	quarantine: quarantine, patience: 10 * time.Second,
	lively: 500 * time.Millisecond, sluggish: time.Second,
}

// backoff decides on the pauses between connections.
type backoff struct {
	pace
	spread time.Duration // over which a hub's cameras are to come back; the hub says it
	pause  time.Duration // mean of the last pause
}

// next returns how long to wait now that a connection has ended, or could not be made. After one that had worked the pauses
// are short again, but not shorter than the hub can serve all the cameras that it loses in the same moment as this one.
func (b *backoff) next(worked bool) time.Duration {
	least := max(b.firstRetry, b.spread)
	if worked {
		b.pause = 0
	}
	b.pause = min(max(2*b.pause, least), max(b.lastRetry, least))
	return jitter(b.pause)
}

// jitter spreads a pause over half to one and a half of it: after an outage a fleet must not come back in step.
func jitter(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause)
}

// sleep waits until ctx ends, at most d.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
