// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What the hub says of the time is passed on, and the floor lets a camera in that thinks it is long ago; the other end of a
// certificate's life is not put off by it.
func TestTime(t *testing.T) {
	for name, row := range map[string]struct {
		floor time.Duration // after the certificate's begin
		in    bool
	}{"none": {0, true}, "within": {300 * 24 * time.Hour, true}, "the certificate has expired": {400 * 24 * time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, stored)
				if row.floor > 0 {
					floor := time.Now().Add(row.floor)
					b.session.cfg.Floor = func() time.Time { return floor }
				}
				var told atomic.Pointer[time.Time]
				b.session.cfg.Welcome = func(hub time.Time) { told.Store(&hub) }
				b.run()
				time.Sleep(time.Second)
				if st := b.session.Status(); st.Connected != row.in {
					t.Fatalf("status %+v", st)
				}
				b.welcome(0)
				synctest.Wait()
				if hub := told.Load(); (hub != nil && hub.Equal(time.Now())) != row.in {
					t.Errorf("told %v", hub)
				}
			})
		})
	}
}
