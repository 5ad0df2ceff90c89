// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// For an hour the broker acknowledges everything, and no receipt comes: the hub stored nothing, or what it says is lost. Nothing
// leaves the camera by that, and afterwards each clip goes once.
func TestNoReceiptForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clips = 60
		begin, dropped, receipts := time.Now(), 0, map[uint64]int{}
		b := newBubble(t, func(b *bubble, e spool.Entry) (wire.Kind, []byte) { // under b's lock
			if time.Since(begin) < time.Hour {
				dropped++
				return nothing(b, e)
			}
			receipts[e.Seq]++
			return stored(b, e)
		})
		b.run()
		for range clips {
			b.clip(1000)
			time.Sleep(time.Hour/clips - time.Second)
		}
		lost := clips - b.waiting()
		if lost != 0 {
			t.Errorf("%d of %d clips left the camera without a receipt", lost, clips)
		}
		time.Sleep(time.Minute + longest)
		twice := 0
		b.set(func() {
			for seq, n := range receipts {
				if n != 1 {
					twice++
					t.Errorf("entry %d has %d receipts", seq, n)
				}
			}
			if len(receipts) != clips || dropped < clips {
				t.Errorf("%d of %d clips are stored after %d offers in vain", len(receipts), clips, dropped)
			}
		})
		if n := b.waiting(); n != 0 {
			t.Errorf("%d clips are still here", n)
		}
		t.Logf("%d offers without a receipt: %d of %d clips lost, %d stored twice", dropped, lost, clips, twice)
	})
}
