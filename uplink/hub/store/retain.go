// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// A Retention says how long clips are kept. Zero fields limit nothing. Bytes are those of sealed clips and
// details on disk; the oldest go first.
type Retention struct {
	MaxAge      time.Duration // since the hub stored the clip: the hub's clock counts, a camera's may be wrong
	DeviceBytes int64         // of one camera, so that a busy one cannot push out the clips of the others
	TotalBytes  int64         // of all
}

// A Removed is what one pass of a retention removed.
type Removed struct {
	Clips int
	Bytes int64
}

// A held is a clip that is on disk.
type held struct {
	device *archive.Device
	seq    uint64
	stored time.Time
	bytes  int64
	reason string // why it goes; "": it stays
}

// Retain removes the clips that the retention does not keep, and what a cut left of earlier removals. It
// goes on after a clip that cannot be removed, and names it in the error. Calls must not overlap.
func (s *Store) Retain(ctx context.Context, r Retention, now time.Time) (Removed, error) {
	var done Removed
	devices, err := s.archive.Devices()
	if err != nil {
		return done, fmt.Errorf("retain clips: %w", err)
	}
	var all []*held
	for _, d := range devices {
		own, err := s.held(ctx, d)
		if err != nil {
			return done, fmt.Errorf("retain clips of %s: %w", d.ID, err)
		}
		for _, h := range own {
			if r.MaxAge > 0 && now.Sub(h.stored) > r.MaxAge {
				h.reason = record.Aged
			}
		}
		displace(own, r.DeviceBytes)
		all = append(all, own...)
	}
	slices.SortStableFunc(all, oldest)
	displace(all, r.TotalBytes)

	x := &Sexton{dir: s.dir, key: s.cfg.Key, disk: s.disk}
	defer s.reserve()
	var errs []error
	for _, h := range all {
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		if h.reason == "" {
			continue
		}
		if err := removeHeld(x, h, now); err != nil {
			if len(errs) < 3 { // of a broken disk the first few say it all
				errs = append(errs, err)
			}
			continue
		}
		done.Clips++
		done.Bytes += h.bytes
	}
	return done, errors.Join(errs...)
}

func oldest(a, b *held) int { return cmp.Or(a.stored.Compare(b.stored), cmp.Compare(a.seq, b.seq)) }

// displace marks the first of clips, beyond those that go anyhow, until the rest has at most limit bytes.
func displace(clips []*held, limit int64) {
	if limit <= 0 {
		return
	}
	var sum int64
	for _, h := range clips {
		if h.reason == "" {
			sum += h.bytes
		}
	}
	for _, h := range clips {
		if sum <= limit {
			return
		}
		if h.reason == "" {
			h.reason = record.Displaced
			sum -= h.bytes
		}
	}
}

func removeHeld(x *Sexton, h *held, now time.Time) error {
	e, err := h.device.Entry(h.seq)
	if err != nil {
		return fmt.Errorf("remove clip of %s: %w", h.device.ID, err)
	}
	return x.Remove(h.device, e, h.reason, now)
}

// held lists the clips of a device that are on disk, the oldest first. Those with a tombstone are marked.
func (s *Store) held(ctx context.Context, d *archive.Device) ([]*held, error) {
	dir := archive.DeviceDir(s.dir, d.ID)
	entries, err := os.ReadDir(filepath.Dir(archive.ClipPath(dir, "")))
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	rows, err := s.index.db.QueryContext(ctx, `SELECT seq, clip, stored, bytes FROM records WHERE device = ? AND clip IS NOT NULL`, d.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*held
	for rows.Next() {
		var seq, stored, bytes int64
		var clip string
		if err := rows.Scan(&seq, &clip, &stored, &bytes); err != nil {
			return nil, err
		}
		if !there[filepath.Base(archive.ClipPath(dir, clip))] && !there[filepath.Base(archive.DetailsPath(dir, clip))] {
			continue
		}
		h := &held{device: d, seq: uint64(seq), stored: time.UnixMilli(stored), bytes: bytes}
		if _, err := os.Stat(archive.TombstonePath(dir, h.seq)); err == nil {
			if e, err := d.Entry(h.seq); err == nil && d.Gone(e) {
				h.reason = record.Displaced // any will do: the tombstone that is there counts
			}
		}
		all = append(all, h)
	}
	slices.SortFunc(all, oldest)
	return all, rows.Err()
}
