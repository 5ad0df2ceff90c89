// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"testing"
	"testing/synctest"
	"time"
)

// peak is the largest share of cameras that try to connect within one second after all lost the hub in the same moment, and
// how long it takes until all are back.
func peak(cameras int, outage, spread time.Duration) (share float64, back time.Duration) {
	perSecond := map[int]int{}
	for range cameras {
		b := backoff{pace: usual, spread: spread}
		at := b.next(true)
		for ; at < outage; at += b.next(false) {
			perSecond[int(at/time.Second)]++
		}
		perSecond[int(at/time.Second)]++
		back = max(back, at-outage)
	}
	most := 0
	for _, n := range perSecond {
		most = max(most, n)
	}
	return float64(most) / float64(cameras), back
}

// What a hub says to a thousand cameras keeps them from coming back all at once, however long it was away.
func TestFleetComesBackSpread(t *testing.T) {
	const cameras, told = 1000, 40 * time.Second
	for _, outage := range []time.Duration{0, 5 * time.Second, time.Minute, 10 * time.Minute, 24 * time.Hour} {
		share, back := peak(cameras, outage, told)
		t.Logf("outage of %v: at most %.1f %% a second, all back after %v", outage, 100*share, back.Round(time.Second))
		if share > 0.05 {
			t.Errorf("outage of %v: %.1f %% come in one second", outage, 100*share)
		}
	}
}

func TestMutantFleetWithoutSpread(t *testing.T) {
	if share, _ := peak(1000, 0, 0); share <= 0.05 {
		t.Errorf("at most %.1f %% come in one second without being told: the test above proves nothing", 100*share)
	}
}

// A session does as the hub says, and a small hub's camera is back within seconds.
func TestSpreadIsHeeded(t *testing.T) {
	for spread, least := range map[int]time.Duration{0: usual.firstRetry / 2, 40: 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, stored)
			b.run()
			time.Sleep(time.Second)
			b.welcome(spread)
			time.Sleep(time.Second)
			lost := time.Now()
			b.set(func() { b.ends[0].Conn.Close() })
			time.Sleep(2 * time.Minute)
			attempts := b.attempts()
			if len(attempts) != 2 {
				t.Fatalf("%d connections", len(attempts))
			}
			if gap := attempts[1].Sub(lost); gap < least || gap > 3*least+time.Second {
				t.Errorf("spread %d s: back after %v", spread, gap)
			}
		})
	}
}
