// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/policy"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// Held in the middle of a clip the session stops within what is on its way, and nothing that shows a picture goes on: no clip, no
// details, and no word of a new clip. What is no picture does.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, taking)
		b.rate = slow
		hold := false
		b.session.cfg.Hold = func() bool { b.mu.Lock(); defer b.mu.Unlock(); return hold }
		b.record(1<<20, 100, policy.Now)
		b.run()
		time.Sleep(20 * time.Second)
		b.set(func() { hold = true })
		time.Sleep(5 * time.Second)
		before := b.chunks(wire.PartBody)
		b.record(1000, 100, policy.Now)
		time.Sleep(time.Hour)
		if more := b.take(wire.UpChunk); len(before) == 0 || len(more) != 0 {
			t.Errorf("%d chunks came before, and %d while it was held", len(before), len(more))
		}
		b.set(func() { hold = false })
		time.Sleep(5 * time.Minute)
		if b.waiting() != 0 {
			t.Errorf("%d clips wait", b.waiting())
		}
	})
}
