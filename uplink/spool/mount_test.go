// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// mounted is a small file system of its own. It needs root, and a kernel that lets it mount.
func mounted(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounts a small disk, which only root may: run it as root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,nr_inodes=1000"); err != nil {
		t.Skipf("cannot mount a small disk here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A real file system that is full, then read-only, then sound: nothing is lost, nothing is restarted.
func TestRealDiskHeals(t *testing.T) {
	dir := mounted(t)
	s := mustOpen(t, filepath.Join(dir, "spool"), Config{
		Evicted: cutConfig().Evicted, Interrupted: cutConfig().Interrupted, Reserve: filepath.Join(dir, "keys", "reserved"),
	})
	b := NewBuffer(s, BufferConfig{Memory: 4 << 20, Linger: time.Minute,
		Lost: func(id string, n int) SignFunc { return fakeRecord(fmt.Sprintf("lost %s %d", id, n)) }})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()

	record := func(id string) {
		t.Helper()
		c, err := b.Create(id)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Part("clip")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(body(id, 1<<20)); err != nil {
			t.Error(err)
		}
		c.Commit(fakeRecord("clip "+id), nil)
	}
	trouble := func(code string) {
		t.Helper()
		for b.Status().Trouble.Code != code {
			select {
			case <-t.Context().Done():
				t.Fatalf("trouble is %+v, want %q", b.Status().Trouble, code)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	heal := func(how func() error) {
		t.Helper()
		if err := how(); err != nil {
			t.Fatal(err)
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		trouble("")
	}

	hog := filepath.Join(dir, "hog")
	if err := os.WriteFile(hog, make([]byte, 7<<20+900<<10), 0o600); err == nil {
		t.Log("the disk is not quite full")
	}
	record("full")
	trouble(TroubleFull)
	heal(func() error { return os.Remove(hog) })

	remount := func(flags uintptr) func() error {
		return func() error { return unix.Mount("", dir, "", unix.MS_REMOUNT|flags, "size=8m") }
	}
	if err := remount(unix.MS_RDONLY)(); err != nil {
		t.Fatal(err)
	}
	record("readonly")
	trouble(TroubleReadOnly)
	heal(remount(0))

	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var found int
	for e, ok := s.Next(0); ok; e, ok = s.Next(e.Seq) {
		if e.Bytes() == 1<<20 {
			found++
		}
	}
	if found != 2 {
		t.Errorf("records %q: %d clips are there, want 2", texts(s), found)
	}
}

// Another card is put in: what is in memory goes there, and the chain goes on above the numbers that were used.
func TestBufferOtherCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		synctest.Wait()
		if err := r.clip("a", body("a", 1000)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		r.disk.lock.Lock()
		r.disk.root = start(t).root
		r.disk.pending = nil
		r.disk.lock.Unlock()
		if err := r.clip("b", body("b", 1000)); err != nil {
			t.Error(err)
		}
		if err := r.flush(time.Minute); err != nil {
			t.Error(err)
		}
		if got, want := texts(r.spool), []string{"store lost", "clip b"}; !slices.Equal(got, want) {
			t.Errorf("records %q, want %q", got, want)
		}
		if got := numbers(r.spool); got[0] != 2 {
			t.Errorf("the chain goes on at %d, after 1", got[0])
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}
