// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

func TestSteady(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	type look struct {
		wall  time.Duration // from the last status of the hub before
		alive time.Duration
		trust bool
	}
	for name, row := range map[string]struct {
		before time.Time
		looks  []look
	}{
		"usual restart":    {at, []look{{time.Minute, 0, true}, {time.Minute + time.Hour, time.Hour, true}}},
		"first run":        {time.Time{}, []look{{time.Minute, 0, true}, {time.Minute + time.Hour, time.Hour, true}}},
		"a month away":     {at, []look{{31 * day, 0, false}, {31*day + time.Hour, time.Hour, false}, {32 * day, day, true}}},
		"wrong, then set":  {at, []look{{9000 * day, 0, false}, {time.Hour, time.Hour, false}, {25 * time.Hour, 25 * time.Hour, true}}},
		"jump while alive": {at, []look{{0, 0, true}, {3 * day, time.Hour, false}, {3*day + time.Hour, 2 * time.Hour, false}, {5 * day, 2 * day, true}}},
		"behind":           {at, []look{{-20 * 365 * day, 0, true}, {time.Hour, time.Hour, false}}},
		"slept an hour":    {at, []look{{0, 0, true}, {2 * time.Hour, time.Hour, true}}},
	} {
		s := newSteady(row.before)
		for i, l := range row.looks {
			if got := s.trust(at.Add(l.wall), l.alive); got != l.trust {
				t.Errorf("%s, look %d: trusted %v", name, i, got)
			}
		}
	}
}

// aged has a clip of 40 days in a hub that keeps 30, last seen at before, and returns after how many hours of
// running the clip is gone, 0 for at the start.
func aged(t *testing.T, before time.Duration) (hours int) {
	c := camera.New("porch")
	in, dir := newTestIngest(t, c)
	e := c.Clip([]byte("clip"), []byte("details"))
	if _, err := in.store.Offer(t.Context(), "porch", e.JWS, false); err != nil {
		t.Fatal(err)
	}
	for part, body := range [][]byte{e.Body, e.Details} {
		if _, _, err := in.store.Write(t.Context(), "porch", e.ID(), store.Part(part), 0, body); err != nil {
			t.Fatal(err)
		}
	}
	path := archive.ClipPath(archive.DeviceDir(dir, "porch"), e.ID())
	gone := func() bool { _, err := os.Stat(path); return err != nil }
	synctest.Test(t, func(t *testing.T) {
		// In the bubble it is the year 2000, and the clip was stored just now.
		stored := time.Now().Add(-40 * 24 * time.Hour)
		record := archive.RecordPath(archive.DeviceDir(dir, "porch"), 1)
		if err := os.Chtimes(record, stored, stored); err != nil {
			t.Fatal(err)
		}
		if err := in.store.Rebuild(context.Background()); err != nil {
			t.Fatal(err)
		}
		h := &Hub{log: slog.New(slog.DiscardHandler), cfg: Config{Retention: store.Retention{MaxAge: 30 * 24 * time.Hour}}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.retain(ctx, in.store, time.Now().Add(-before)) }()
		for synctest.Wait(); !gone() && hours < 100; synctest.Wait() {
			time.Sleep(time.Hour)
			hours++
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return hours
}

func TestRetentionAndTheClock(t *testing.T) {
	for before, want := range map[time.Duration]int{time.Hour: 0, 100 * 24 * time.Hour: 24} {
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			if got := aged(t, before); got != want {
				t.Errorf("the old clip is gone after %d hours, want %d", got, want)
			}
		})
	}
}
