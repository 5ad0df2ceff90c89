// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever the link does, a chunk fits the wire, some bytes may be on their way, and never more than a cut may cost.
func TestFlowBounds(t *testing.T) {
	f := newFlow(usual)
	now := time.Unix(0, 0)
	for range 10_000 {
		if c := f.chunk(); c < leastChunk || c > mostChunk || !f.fits(c) {
			t.Fatalf("chunk of %d bytes, %d may be on their way", c, f.most)
		}
		if f.most < leastFlight || f.most > mostFlight {
			t.Fatalf("%d bytes may be on their way", f.most)
		}
		took := time.Duration(rand.N(2 * int64(time.Second)))
		now = now.Add(took)
		f.measured(f.chunk(), now.Add(-took), now)
	}
}

// A quick link is filled within a few rounds; one that turns slow is down to the least within a few slow rounds.
func TestFlowLearns(t *testing.T) {
	f := newFlow(usual)
	now := time.Unix(0, 0)
	round := func(took time.Duration) {
		sent, n, chunks := now, f.chunk(), f.most/f.chunk()
		now = now.Add(took)
		for range chunks {
			f.measured(n, sent, now)
		}
	}
	for range 4 {
		round(50 * time.Millisecond)
	}
	if f.most != mostFlight {
		t.Errorf("%d bytes after four quick rounds", f.most)
	}
	round(5 * time.Second)
	if f.most != mostFlight/2 {
		t.Errorf("%d bytes after a slow round: all of its chunks tell the same", f.most)
	}
	for range 4 {
		round(5 * time.Second)
	}
	if f.most != leastFlight {
		t.Errorf("%d bytes after five slow rounds", f.most)
	}
}

// Over any span a bucket lets through what its rate allows, a second's worth, and one chunk; a sender that always has something
// gets its share.
func TestBucket(t *testing.T) {
	for _, rate := range []int64{1, 999, 8000, 1 << 20, 1 << 40} {
		b := bucket{rate: rate}
		now := time.Unix(1e9, 0)
		begin, total := now, int64(0)
		for range 2000 {
			if wait := b.wait(now); wait > 0 {
				now = now.Add(wait)
				if again := b.wait(now); again > 0 {
					t.Fatalf("rate %d: after %v another %v", rate, wait, again)
				}
			}
			n := 1 + rand.N(mostChunk)
			b.take(n, now)
			total += int64(n)
			if most := float64(rate)*(now.Sub(begin).Seconds()+1.001) + mostChunk; float64(total) > most {
				t.Fatalf("rate %d: %d bytes in %v", rate, total, now.Sub(begin))
			}
			now = now.Add(rand.N(20 * time.Millisecond))
		}
		if rate <= 8000 && float64(total) < float64(rate)*now.Sub(begin).Seconds()*0.99 {
			t.Errorf("rate %d: only %d bytes in %v", rate, total, now.Sub(begin))
		}
	}
	var free bucket
	free.take(1<<30, time.Now())
	if free.wait(time.Now()) != 0 {
		t.Error("no bound, and a wait")
	}
	// A clock that jumps back costs no wait beyond the debt.
	b := bucket{rate: 1000}
	b.take(5000, time.Unix(1e9, 0))
	if wait := b.wait(time.Unix(0, 0)); wait > 5*time.Second {
		t.Errorf("waits %v", wait)
	}
}
