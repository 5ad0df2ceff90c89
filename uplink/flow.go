// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"time"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// Bounds of what is on its way to the hub, in bytes.
const (
	leastChunk  = 4 << 10
	leastFlight = 2 * leastChunk
	mostFlight  = wire.MaxChunk // what a cut may cost: all of it is sent again
	mostChunk   = mostFlight / 4
)

// flow decides how many bytes may be on their way. It begins with few, as nothing is known of the link; each chunk that comes
// through quickly allows for as many again, one that comes slowly halves them. Whatever else is sent waits for what is on its
// way, so what counts as slow is about what it waits.
type flow struct {
	pace   pace
	most   int // bytes
	flight int // bytes that are on their way
	halved time.Time
}

func newFlow(p pace) flow { return flow{pace: p, most: leastFlight} }

// chunk is the size of the next chunk: several are on their way at a time, so that the link is never idle.
func (f *flow) chunk() int { return min(max(f.most/4, leastChunk), mostChunk) }

// fits tells whether n bytes may be sent now.
func (f *flow) fits(n int) bool { return f.flight == 0 || f.flight+n <= f.most }

// measured learns from n bytes that were sent at a time, and waited for until now, because the flight was full: an
// acknowledgement that nobody waited for says nothing about what the link can carry.
func (f *flow) measured(n int, sent, now time.Time) {
	switch took := now.Sub(sent); {
	case took < f.pace.lively:
		f.most = min(f.most+n, mostFlight)
	case took > f.pace.sluggish && !sent.Before(f.halved): // once for all that were on their way together
		f.most = max(f.most/2, leastFlight)
		f.halved = now
	}
}

// bucket bounds bytes a second. The zero bucket bounds nothing.
type bucket struct {
	rate  int64 // bytes a second, 0 for no bound
	debt  int64 // bytes that were sent ahead of time; below 0, that may be
	since time.Time
}

// wait returns how long the next bytes have to wait.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	b.settle(now)
	if b.debt <= 0 {
		return 0
	}
	return time.Duration(b.debt)*time.Second/time.Duration(b.rate) + 1
}

// take counts n bytes.
func (b *bucket) take(n int, now time.Time) {
	if b.rate > 0 {
		b.settle(now)
		b.debt += int64(n)
	}
}

// settle pays for the time that went by. What was not used within the last second is forfeit.
func (b *bucket) settle(now time.Time) {
	paid := int64(min(float64(b.rate)*max(now.Sub(b.since), 0).Seconds(), float64(b.debt+b.rate)))
	if paid <= 0 && b.debt > -b.rate {
		return // too short to count: it is counted later, with more
	}
	b.debt = max(b.debt-paid, -b.rate)
	b.since = now
}
