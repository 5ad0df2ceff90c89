// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"sync"
	"time"
)

// seatWait is how long a device's new connection waits for its former one to be cleared away. The device gives up after 14 s.
// It is longer than any write to the store but the one that ends a large clip.
const seatWait = 5 * time.Second

// seats gives a device's connections the broker one after the other. The broker ends the former connection by itself when a
// device comes back, but does not wait for it: the goroutine of that one, clearing away under the device's name, may remove
// the new connection, or its subscription, and the device hears nothing any more. What the former connection has to say, the
// will at the end of it, is also said before the new one begins.
type seats struct {
	wait time.Duration // 0: the broker is left to itself, a test's

	mu    sync.Mutex
	taken map[string]*session // by device
}

// take ends the device's former session, waits until it is gone, and gives s its place. It is called from the goroutine of
// the connection. An error says that the former session is still at work: the device has to come again.
func (t *seats) take(s *session) *refusal {
	if t.wait == 0 {
		return nil
	}
	late := time.NewTimer(t.wait)
	defer late.Stop()
	for {
		t.mu.Lock()
		former := t.taken[s.device]
		if former == nil {
			t.taken[s.device] = s
			t.mu.Unlock()
			return s.reason.Load() // a third one may have come
		}
		t.mu.Unlock()
		former.end(refuse(brokenOff, "device connected again"))
		select {
		case <-former.gone:
		case <-late.C:
			return refuse(RefusedBusy, "the former connection of %s is still at work on its last message", s.device)
		}
	}
}

// leave gives the place back. The broker knows nothing of the session any more.
func (t *seats) leave(s *session) {
	t.mu.Lock()
	if t.taken[s.device] == s {
		delete(t.taken, s.device)
	}
	t.mu.Unlock()
	close(s.gone)
}
