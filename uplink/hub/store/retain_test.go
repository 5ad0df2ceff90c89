// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

const day = 24 * time.Hour

var today = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// stored makes a store with clips of 1000 bytes that were stored so many days ago, by camera.
func stored(t *testing.T, days map[*camera.Camera][]int) *Store {
	t.Helper()
	s := newStore(t)
	for c, ago := range days {
		add(t, s, c)
		for _, n := range ago {
			e := c.Clip(blob(900, 1), blob(100, 2))
			if _, err := send(t.Context(), s, e, false); err != nil {
				t.Fatal(err)
			}
			at := today.Add(-time.Duration(n) * day)
			path := archive.RecordPath(archive.DeviceDir(s.dir, c.Device), e.Seq)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// left returns which clips, by sequence number, are still there, and why the others are not.
func left(t *testing.T, s *Store, device string) (there []uint64, gone map[uint64]string) {
	t.Helper()
	r := verify(t, s, device)
	if !r.OK() {
		t.Errorf("%s: %v", device, r.Problems)
	}
	gone = map[uint64]string{}
	for _, g := range r.Removals {
		gone[g.Seq] = g.Reason
	}
	d, err := s.Archive().Device(device)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range d.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(d.ClipPath(e.Record.Clip.ID)); err == nil {
			there = append(there, e.Seq)
		}
	}
	return there, gone
}

func TestRetain(t *testing.T) {
	for _, row := range []struct {
		name        string
		r           Retention
		porch, yard []uint64 // that stay; porch has clips of 40, 20, 10 and 1 days ago, yard of 15 and 2
		reason      string
	}{
		{"no limit", Retention{}, []uint64{1, 2, 3, 4}, []uint64{1, 2}, ""},
		{"age", Retention{MaxAge: 14 * day}, []uint64{3, 4}, []uint64{2}, record.Aged},
		{"to the day", Retention{MaxAge: 20 * day}, []uint64{2, 3, 4}, []uint64{1, 2}, record.Aged},
		{"bytes of a device", Retention{DeviceBytes: 2000}, []uint64{3, 4}, []uint64{1, 2}, record.Displaced},
		{"bytes of all", Retention{TotalBytes: 3000}, []uint64{3, 4}, []uint64{2}, record.Displaced},
		{"one byte less", Retention{TotalBytes: 2999}, []uint64{4}, []uint64{2}, record.Displaced},
		{"nothing to remove", Retention{MaxAge: 365 * day, DeviceBytes: 4000, TotalBytes: 6000}, []uint64{1, 2, 3, 4}, []uint64{1, 2}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := stored(t, map[*camera.Camera][]int{camera.New("porch"): {40, 20, 10, 1}, camera.New("yard"): {15, 2}})
			for n := range 2 { // the second pass finds nothing
				done, err := s.Retain(t.Context(), row.r, today)
				if want := 6 - len(row.porch) - len(row.yard); err != nil || n == 0 && done != (Removed{want, int64(want) * 1000}) || n == 1 && done.Clips > 0 {
					t.Errorf("pass %d removed %+v, %v; want %d clips", n, done, err, want)
				}
			}
			for device, want := range map[string][]uint64{"porch": row.porch, "yard": row.yard} {
				there, gone := left(t, s, device)
				if diff := cmp.Diff(want, there); diff != "" {
					t.Errorf("%s: left (-want +got):\n%s", device, diff)
				}
				for seq, reason := range gone {
					if reason != row.reason {
						t.Errorf("%s %d is gone for %s", device, seq, reason)
					}
				}
			}
			s = reopen(t, s)
			if there, _ := left(t, s, "porch"); !slices.Equal(there, row.porch) {
				t.Errorf("after a restart porch has %v", there)
			}
		})
	}
}

// A record whose clip was removed is receipted as before: the camera must not send it again.
func TestRemovedClipIsReceipted(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(900, 1), blob(100, 2))
	if _, err := send(t.Context(), s, e, false); err != nil {
		t.Fatal(err)
	}
	if done, err := s.Retain(t.Context(), Retention{TotalBytes: 1}, today); err != nil || done.Clips != 1 {
		t.Fatalf("removed %+v, %v", done, err)
	}
	if st, err := s.Offer(t.Context(), "porch", e.JWS, false); err != nil || st.Receipt == nil {
		t.Errorf("offered again: %+v, %v", st, err)
	}
	wantStored(t, s, "porch", 1, 0)
}

// removal cuts a removal ahead of its n-th call to the disk and says what is wrong with the store then, and
// after the next pass.
func removal(t *testing.T, n int, power bool, without skip, order func(x *Sexton, d *archive.Device, e archive.Entry)) (wrong []string, cutCame bool) {
	t.Helper()
	c := camera.New("porch")
	s := newStore(t, c)
	if _, err := send(t.Context(), s, c.Clip(blob(900, 1), blob(100, 2)), false); err != nil {
		t.Fatal(err)
	}
	d, err := s.Archive().Device("porch")
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Entry(1)
	if err != nil {
		t.Fatal(err)
	}
	cut := &cutter{n: n, skip: without, unsynced: map[string]bool{}}
	x := &Sexton{dir: s.dir, key: receiptKey, disk: disk{before: cut.before}}
	if order != nil {
		order(x, d, e)
	}
	err = x.Remove(d, e, record.Aged, today)
	if err != nil && !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if power {
		cut.loseUnsynced(t)
	}
	look := func(when string) {
		for _, p := range verify(t, s, "porch").Problems {
			if p.Fault != archive.Stray { // a tombstone on its way
				wrong = append(wrong, when+": "+p.String())
			}
		}
	}
	look("after the cut")
	if _, err := s.Retain(t.Context(), Retention{TotalBytes: 1}, today); err != nil {
		wrong = append(wrong, err.Error())
	}
	look("after the next pass")
	if _, err := os.Stat(d.ClipPath(e.Record.Clip.ID)); err == nil {
		wrong = append(wrong, "the clip stays")
	}
	return wrong, err != nil
}

// TestRemovalCuts cuts a removal everywhere: whatever is missing then has its tombstone.
func TestRemovalCuts(t *testing.T) {
	for _, power := range []bool{false, true} {
		n := 1
		for ; ; n++ {
			wrong, came := removal(t, n, power, nil, nil)
			for _, w := range wrong {
				t.Errorf("power %v, cut ahead of call %d: %s", power, n, w)
			}
			if !came || t.Failed() {
				break
			}
		}
		if n < 15 {
			t.Errorf("only %d calls were cut", n-1)
		}
	}
}

func TestRemovalCutsMutants(t *testing.T) {
	for name, row := range map[string]struct {
		without skip
		order   func(x *Sexton, d *archive.Device, e archive.Entry)
	}{
		"tombstones are not synced": {without: func(call string, paths []string) bool {
			return call == "sync" && filepath.Base(paths[0]) == "00000001.jws.tmp"
		}},
		"their folder is not synced": {without: func(call string, paths []string) bool {
			return call == "syncdir" && filepath.Base(paths[0]) == "tombstones"
		}},
		"the clip goes first": {order: func(x *Sexton, d *archive.Device, e archive.Entry) {
			_ = x.disk.remove(d.ClipPath(e.Record.Clip.ID))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 2; ; n++ {
				wrong, came := removal(t, n, true, row.without, row.order)
				if len(wrong) > 0 {
					t.Logf("cut ahead of call %d: %s", n, wrong[0])
					return
				}
				if !came {
					t.Fatal("no cut does harm without this defence: TestRemovalCuts proves nothing about it")
				}
			}
		})
	}
}

// A pass goes on behind a clip that cannot be removed, and names it.
func TestRetainGoesOn(t *testing.T) {
	c := camera.New("porch")
	s := stored(t, map[*camera.Camera][]int{c: {40, 30, 20}})
	d, _ := s.Archive().Device("porch")
	e, err := d.Entry(2)
	if err != nil {
		t.Fatal(err)
	}
	s.disk.before = func(call string, paths ...string) error {
		if call == "remove" && paths[0] == d.ClipPath(e.Record.Clip.ID) {
			return unix.EIO
		}
		return nil
	}
	done, err := s.Retain(t.Context(), Retention{MaxAge: day}, today)
	if done.Clips != 2 || !errors.Is(err, unix.EIO) {
		t.Errorf("removed %+v, %v", done, err)
	}
	s.disk.before = nil
	if done, err := s.Retain(t.Context(), Retention{}, today); done.Clips != 1 || err != nil {
		t.Errorf("healed: removed %+v, %v", done, err) // its tombstone was written
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Retain(ctx, Retention{}, today); err == nil {
		t.Error("a pass that was told to stop says it is done")
	}
}

// A disk without a free byte: the tombstone's space comes from the reserve.
func TestRemovalOnFullDisk(t *testing.T) {
	c := camera.New("porch")
	s := stored(t, map[*camera.Camera][]int{c: {40}})
	full := func(defence bool) error {
		s.disk.before = func(call string, paths ...string) error {
			_, err := os.Stat(filepath.Join(s.dir, reserveFile))
			if reserved := err == nil; reserved && (call == "write" || call == "mkdir") {
				return fmt.Errorf("full: %w", unix.ENOSPC)
			}
			if !defence && call == "remove" && filepath.Base(paths[0]) == reserveFile {
				return errSkip
			}
			return nil
		}
		defer func() { s.disk.before = nil }()
		_, err := s.Retain(t.Context(), Retention{MaxAge: day}, today)
		return err
	}
	if err := full(false); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("without the reserve %v: the test proves nothing about it", err)
	}
	if err := full(true); err != nil {
		t.Errorf("full disk: %v", err)
	}
	wantStored(t, s, "porch", 1, 0)
	if n, err := size(filepath.Join(s.dir, reserveFile)); err != nil || n != reserveSize {
		t.Errorf("the reserve has %d bytes after the pass (%v)", n, err)
	}
}
