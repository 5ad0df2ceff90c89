// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

// fills are the errors that a failing disk answers with.
var fills = map[string]error{"full": unix.ENOSPC, "broken": unix.EIO}

// fill runs a store whose disk fails every change from its n-th call on, while a camera sends a clip, an
// evicted clip with its loss record and another clip; then the disk heals and the camera tries again, in
// the same store. It returns what went wrong, and whether the disk failed at all. A careless store's errors
// count as receipts.
func fill(t *testing.T, n int, fail error, careless bool) (wrong []string, failed bool) {
	t.Helper()
	c := camera.New("porch")
	clip, gone := c.Clip(blob(2500, 1), blob(700, 2)), c.Clip(blob(900, 3), blob(30, 4))
	entries := []camera.Entry{clip, gone, c.Loss(record.Evicted, gone.ID()), c.Clip(blob(1800, 5), blob(90, 6))}
	s := newStore(t, c)
	defer s.Close()
	calls := 0
	s.disk.before = func(call string, _ ...string) error {
		if calls++; calls >= n && call != "remove" {
			failed = true
			return fail
		}
		return nil
	}
	receipted := 0
	camera := func() {
		for _, e := range entries[receipted:] {
			evicted := e.Clip != nil && e.ID() == gone.ID()
			st, err := send(t.Context(), s, e, evicted)
			if errors.Is(err, ErrHash) { // what an fsync that failed left was thrown away: once more
				st, err = send(t.Context(), s, e, evicted)
			}
			if careless && err != nil {
				st.Receipt, err = e.JWS, nil
			}
			if st.Receipt == nil || err != nil {
				if st.Receipt != nil {
					wrong = append(wrong, fmt.Sprintf("record %d: a receipt beside %v", e.Seq, err))
				}
				return
			}
			receipted++
		}
	}
	camera()
	if failed && errors.Is(fail, unix.ENOSPC) {
		camera() // it keeps trying: still no receipt
	}
	wrong = append(wrong, check(t, s.dir, receipted, false)...)
	s.disk.before = nil
	camera()
	if receipted != len(entries) {
		wrong = append(wrong, fmt.Sprintf("healed, and %d of %d records are receipted", receipted, len(entries)))
	}
	return append(wrong, check(t, s.dir, receipted, true)...), failed
}

// TestFullDisk has the disk fail from every single call on. There is no receipt for what is not stored, and
// once the disk heals everything is stored, without a restart.
func TestFullDisk(t *testing.T) {
	for name, fail := range fills {
		t.Run(name, func(t *testing.T) {
			n := 1
			for ; ; n++ {
				wrong, failed := fill(t, n, fail, false)
				for _, w := range wrong {
					t.Errorf("from call %d on: %s", n, w)
				}
				if !failed || t.Failed() {
					break
				}
			}
			t.Logf("faults=%d", n-1)
			if n < 30 {
				t.Errorf("only %d calls failed", n-1)
			}
		})
	}
}

// A store that acknowledges what it could not store is found out.
func TestFullDiskMutant(t *testing.T) {
	for n := 1; ; n++ {
		wrong, failed := fill(t, n, unix.ENOSPC, true)
		for _, w := range wrong {
			if strings.Contains(w, "were receipted") {
				t.Logf("from call %d on: %s", n, w)
				return
			}
		}
		if !failed {
			t.Fatal("receipts for nothing are not noticed: TestFullDisk proves nothing")
		}
	}
}

// TestSmallDisk fills a real file system of 4 MiB with clips until the store cannot take more, makes room,
// and has everything stored in the end: the index, which SQLite writes by itself, too.
func TestSmallDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=0700"); err != nil {
		t.Skipf("needs root and the right to mount: mount tmpfs: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	c := camera.New("porch")
	s, err := Open(t.Context(), dir, config(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	add(t, s, c)
	// Most of it goes to something else, and comes back later in two steps.
	for _, name := range []string{"filler.1", "filler.2"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 1200<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var entries []camera.Entry
	for i := range 40 {
		entries = append(entries, c.Clip(blob(20_000+i*137, byte(i)), blob(500, byte(i))))
	}
	receipted, full := 0, 0
	try := func() {
		for _, e := range entries[receipted:] {
			st, err := send(t.Context(), s, e, false)
			if err != nil {
				full++
				if st.Receipt != nil || !strings.Contains(err.Error(), "full") && !errors.Is(err, unix.ENOSPC) {
					t.Errorf("record %d: receipt %s, %v", e.Seq, st.Receipt, err)
				}
				return
			}
			receipted++
		}
	}
	try()
	atFull := receipted
	try()
	if wrong := check(t, dir, receipted, false); len(wrong) > 0 {
		t.Error(wrong)
	}
	if err := os.Remove(filepath.Join(dir, "filler.1")); err != nil {
		t.Fatal(err)
	}
	try()
	// A restart on the full disk is no reason to lose anything, nor is an index that is damaged by it.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, indexFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), dir, config(t))
	if err != nil {
		if s, err = nil, os.Remove(filepath.Join(dir, "filler.2")); err == nil { // no room for an index: a hub does not start
			s, err = Open(t.Context(), dir, config(t))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(filepath.Join(dir, "filler.2"))
	try()
	t.Logf("clips=%d stored_when_full=%d refusals=%d", receipted, atFull, full)
	if full < 2 || atFull >= receipted {
		t.Errorf("the disk was full %d times, with %d of %d clips stored: the test proves nothing", full, atFull, receipted)
	}
	if receipted != len(entries) {
		t.Errorf("%d of %d clips are stored after there was room", receipted, len(entries))
	}
	if wrong := check(t, dir, receipted, true); len(wrong) > 0 {
		t.Error(wrong)
	}
	if off, err := CheckIndex(t.Context(), dir); err != nil || len(off) > 0 {
		t.Errorf("index: %v, %v", off, err)
	}
	r := verify(t, s, "porch")
	if r.Clips != len(entries) {
		t.Errorf("%d clips verify", r.Clips)
	}
}
