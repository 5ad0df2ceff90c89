// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
)

// A hub that has moved is found at its new address, by a session that is connected and by one that waits to try again.
func TestHubMoves(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, stored)
			b.down = down
			var addrs []string
			b.session.open = func(ctx context.Context, addr string) (net.Conn, error) {
				b.set(func() { addrs = append(addrs, addr) })
				return b.open(ctx, addr)
			}
			var cred atomic.Pointer[keys.Credential]
			first := b.session.cred
			cred.Store(&first)
			b.session.cfg.Credential = func() keys.Credential { return *cred.Load() }
			b.run()
			time.Sleep(10 * time.Minute)
			b.session.Reconnect() // nothing has changed, and nothing is lost by it
			time.Sleep(time.Second)
			next := *cred.Load()
			next.Hub = "elsewhere:8883"
			cred.Store(&next)
			b.set(func() { b.down = false })
			b.clip(1)
			b.session.Reconnect()
			time.Sleep(time.Second)
			b.set(func() {
				if last := addrs[len(addrs)-1]; last != "elsewhere:8883" || addrs[0] != "hub:8883" {
					t.Errorf("connected to %v", slices.Compact(addrs))
				}
			})
			if st := b.session.Status(); !st.Connected || b.waiting() != 0 {
				t.Errorf("status %+v, %d clips wait", st, b.waiting())
			}
		})
	}
}
