// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"maps"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A tally counts since the start of the hub. Its methods may be called from any goroutine.
type tally struct {
	mu       sync.Mutex
	refused  map[Refused]float64 // connections turned away or ended, by code
	receipts int64
	calls    int64         // of the store
	spent    time.Duration // in those
}

func newTally() *tally { return &tally{refused: map[Refused]float64{}} }

func (t *tally) end(code Refused) {
	if code == brokenOff {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused[code]++
}

// took counts a message of a device that went to the store.
func (t *tally) took(replies []reply, spent time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	t.spent += spent
	for _, r := range replies {
		if r.kind == wire.DownReceipt {
			t.receipts++
		}
	}
}

// fill writes the counts into a status.
func (t *tally) fill(s *Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Refused, s.Receipts = maps.Clone(t.refused), t.receipts
	s.StoreCalls, s.StoreSeconds = t.calls, t.spent.Seconds()
}
