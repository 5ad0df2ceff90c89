// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// retainEvery is the time between two passes of the retention; the first one is at the start.
const retainEvery = time.Hour

// Sexton returns the one who removes clips by hand from the hub in dir, which may be running.
func Sexton(dir string) (*store.Sexton, error) {
	key, err := loadKey[ed25519.PrivateKey](filepath.Join(dir, "receipt.key"))
	if err != nil {
		return nil, err
	}
	return store.NewSexton(dir, key), nil
}

// retain applies the retention until ctx ends; before is when a hub was last seen on the folder, zero for never.
// It runs also without limits: it finishes removals that were cut.
func (h *Hub) retain(ctx context.Context, st *store.Store, before time.Time) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	began, clock := time.Now(), newSteady(before)
	for {
		retention, now := h.cfg.Retention, time.Now()
		if !clock.trust(now.Round(0), now.Sub(began)) && retention.MaxAge > 0 {
			retention.MaxAge = 0
			h.log.Warn("the clock is far ahead of where it was: clips do not grow old for a day; set the clock if it is wrong",
				"code", "clock-ahead", "clock", now)
		}
		done, err := st.Retain(ctx, retention, now)
		if done.Clips > 0 {
			h.log.Info("clips removed, with a tombstone each", "code", "clips-removed", "clips", done.Clips, "bytes", done.Bytes)
		}
		if err != nil && ctx.Err() == nil {
			h.log.Error("retention is not complete: the next pass tries again", "code", "retention-failed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// A steady watches the wall clock, by which clips grow old. A clock that runs ahead would have all of them
// removed at once, for good; so after a jump that no hub has lived through, age waits for a day, in which
// NTP or a person may set it right.
type steady struct {
	wall  time.Time     // at the last look
	alive time.Duration // monotonic, at the last look
	until time.Duration // monotonic, until when age waits
}

const (
	longAway  = 30 * 24 * time.Hour // between two runs: a hub that stood in a cupboard, or a wrong clock
	jumpAhead = 24 * time.Hour      // within a run
	waitOut   = 24 * time.Hour
)

// newSteady begins with the time that the hub before this one was last seen, zero if there was none.
func newSteady(before time.Time) *steady { return &steady{wall: before} }

// trust reports whether the wall clock can be relied on, alive after the start.
func (s *steady) trust(wall time.Time, alive time.Duration) bool {
	jumped := wall.Sub(s.wall) > longAway && !s.wall.IsZero()
	if s.alive > 0 {
		jumped = wall.Sub(s.wall)-(alive-s.alive) > jumpAhead
	}
	if jumped {
		s.until = alive + waitOut
	}
	s.wall, s.alive = wall, max(alive, 1)
	return alive >= s.until
}
