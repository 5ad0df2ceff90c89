// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/board/health"
)

// holdings is what a process holds at a moment of rest.
type holdings struct {
	goroutines, files int
	heap              uint64
}

func held(t *testing.T) (h holdings) {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("there is no /proc here to count descriptors in")
	}
	return holdings{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// Event after event is sealed, signed, stored and removed as by a receipt, and a trouble comes and goes with each: what the
// process holds is the same after the first tenth and in the end. NIGHTJAR_EVENTS says how many.
func TestEventsLeakNothing(t *testing.T) {
	events := 500
	if v := os.Getenv("NIGHTJAR_EVENTS"); v != "" {
		var err error
		if events, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	s, _, _ := newTestSink(t, t.TempDir())
	troubles := health.New(slog.New(slog.DiscardHandler), time.Now)
	var early holdings
	for i := range events {
		commit(t, s, fmt.Sprintf("%032x", i+1), start.Wall)
		troubles.Set(health.HubUnreachable, errors.New("no route"))
		troubles.Set(health.HubUnreachable, nil)
		if i%10 == 9 {
			flush(t, s)
			for e, ok := s.spool.Next(0); ok; e, ok = s.spool.Next(e.Seq) {
				if err := s.spool.Remove(e.Seq, sha256.Sum256(e.Record)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if i == events/10 {
			early = held(t)
		}
	}
	flush(t, s)
	late := held(t)
	t.Logf("%d events: goroutines %d, then %d; descriptors %d, then %d; heap %d KiB, then %d", events,
		early.goroutines, late.goroutines, early.files, late.files, early.heap>>10, late.heap>>10)
	// The worker may be about to open or to close a file at either moment.
	if late.goroutines > early.goroutines+1 || late.files > early.files+2 || late.heap > early.heap+4<<20 {
		t.Error("it grew")
	}
}
