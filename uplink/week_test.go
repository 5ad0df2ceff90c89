// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// A week without a hub costs no memory that grows, and all that was recorded meanwhile arrives. (Its records are; a spool has
// its own bound.)
func TestWeekOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, stored)
		b.closeHub() // and its clocks, which would tick through the week
		b.down = true
		b.run()
		b.clip(1)
		time.Sleep(24 * time.Hour)
		first, routines := heap(), runtime.NumGoroutine()
		for range 6 * 24 {
			b.clip(1)
			time.Sleep(time.Hour)
		}
		if grown := int64(heap()) - int64(first); grown > 1<<20 {
			t.Errorf("%d bytes more than after the first day", grown)
		}
		if n := runtime.NumGoroutine(); n > routines {
			t.Errorf("%d goroutines, %d after the first day", n, routines)
		}
		b.startHub()
		b.set(func() { b.down = false })
		time.Sleep(5 * time.Minute)
		if n := b.waiting(); n != 0 || !b.session.Status().Connected {
			t.Errorf("%d clips are still here: %+v", n, b.session.Status())
		}
	})
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
