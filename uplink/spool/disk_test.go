// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// brokenDisk fails the operations that fail names, such as "sync clip".
type brokenDisk struct {
	disk
	fail map[string]error
}

type brokenFile struct {
	file
	disk *brokenDisk
	name string
}

func (d *brokenDisk) Create(path string) (file, error) {
	name := filepath.Base(path)
	if err := d.fail["create "+name]; err != nil {
		return nil, err
	}
	f, err := d.disk.Create(path)
	return &brokenFile{f, d, name}, err
}

func (d *brokenDisk) Resume(path string, at int64) (file, error) {
	if at == 0 {
		return d.Create(path)
	}
	name := filepath.Base(path)
	if err := d.fail["create "+name]; err != nil {
		return nil, err
	}
	f, err := d.disk.Resume(path, at)
	return &brokenFile{f, d, name}, err
}

func (d *brokenDisk) SyncDir(dir string) error {
	if err := d.fail["syncdir "+filepath.Base(dir)]; err != nil {
		return err
	}
	return d.disk.SyncDir(dir)
}

func (d *brokenDisk) Rename(from, to string) error {
	if err := d.fail["rename "+filepath.Base(to)]; err != nil {
		return err
	}
	return d.disk.Rename(from, to)
}

func (f *brokenFile) Write(b []byte) (int, error) {
	if err := f.disk.fail["write "+f.name]; err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f *brokenFile) Sync() error {
	if err := f.disk.fail["sync "+f.name]; err != nil {
		return err
	}
	return f.file.Sync()
}

// tryClip tries to record a clip as a caller does: it commits whatever it was told on the way, and aborts when that fails.
func tryClip(s *Spool, id string) error {
	d, err := s.Create(id)
	if err != nil {
		return err
	}
	w, err := d.Part("clip")
	if err != nil {
		return errors.Join(err, d.Abort())
	}
	_, _ = w.Write([]byte("a sealed clip"))
	_ = w.Close()
	if _, err := d.Commit(fakeRecord("clip " + id)); err != nil {
		return errors.Join(err, d.Abort())
	}
	return nil
}

func TestFailingDisk(t *testing.T) {
	for _, tt := range []struct {
		operation string
		err       error
		queued    int // entries that are there all the same
	}{
		{"create clip", syscall.ENOSPC, 0},
		{"write clip", syscall.EIO, 0},
		{"sync clip", syscall.EIO, 0},
		{"syncdir tmp", syscall.EIO, 0},
		{"create record", syscall.ENOSPC, 0},
		{"write record", syscall.ENOSPC, 0},
		{"sync record", syscall.EIO, 0},
		{"rename 00000000000000000001-a", syscall.EIO, 0},
		{"syncdir queue", syscall.EIO, 1},
		{"create head.new", syscall.ENOSPC, 1},
		{"write head.new", syscall.ENOSPC, 1},
		{"rename head", syscall.EIO, 1},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			mem := start(t)
			d := &brokenDisk{disk: mem}
			s, err := openOn(d)
			if err != nil {
				t.Fatal(err)
			}
			d.fail = map[string]error{tt.operation: tt.err}
			if err := tryClip(s, "a"); !errors.Is(err, tt.err) {
				t.Errorf("a clip on the broken disk: %v", err)
			}
			d.fail = nil
			if n, _ := s.Usage(); n != tt.queued {
				t.Errorf("%d entries, want %d", n, tt.queued)
			}
			if left := mem.find(filepath.Join(cutDir, tmpDir)).names; len(left) > 0 {
				t.Errorf("left in tmp: %v", left)
			}
			if err := tryClip(s, "b"); err != nil {
				t.Errorf("the next clip: %v", err)
			}
			s, err = openOn(mem)
			if err == nil {
				err = newLedger().note(s)
			}
			if n, _ := s.Usage(); err != nil || n != tt.queued+1 {
				t.Errorf("opened again: %d entries, %v", n, err)
			}
		})
	}
}

// The hub must not hear of a record that a power cut takes away: its number would be signed again.
func TestEntryIsShownWhenDurable(t *testing.T) {
	mem := start(t)
	d := &brokenDisk{disk: mem}
	s, err := openOn(d)
	if err != nil {
		t.Fatal(err)
	}
	d.fail = map[string]error{"syncdir queue": syscall.EIO}
	if err := tryClip(s, "a"); err == nil {
		t.Fatal("no error")
	}
	if e, ok := s.Next(0); ok {
		t.Errorf("shown: %q", e.Record)
	}
	d.fail = nil
	if _, err := s.Append("", fakeRecord("loss")); err != nil {
		t.Fatal(err)
	}
	if got, want := texts(s), []string{"clip a", "loss"}; !slices.Equal(got, want) {
		t.Errorf("once the disk works again: %q, want %q", got, want)
	}
}

// An entry in the queue whose head could not be written is shipped like any other. Once it is removed nothing but the head
// tells that its number is used.
func TestRemoveWaitsForHead(t *testing.T) {
	mem := start(t)
	d := &brokenDisk{disk: mem}
	s, err := openOn(d)
	if err != nil {
		t.Fatal(err)
	}
	d.fail = map[string]error{"write head.new": syscall.ENOSPC}
	if err := tryClip(s, "a"); err == nil {
		t.Fatal("no error")
	}
	e, _ := s.Next(0)
	if err := s.Remove(e.Seq, sha256.Sum256(e.Record)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("removed without a head: %v", err)
	}
	if n, _ := s.Usage(); n != 1 {
		t.Error("the entry is gone")
	}
	d.fail = nil
	if err := s.Remove(e.Seq, sha256.Sum256(e.Record)); err != nil {
		t.Error(err)
	}
	if s, err = openOn(mem); err != nil {
		t.Fatal(err)
	}
	if seq, hash := s.Head(); seq != 1 || hash != sha256.Sum256(e.Record) {
		t.Errorf("opened again: head is %d", seq)
	}
}

// An entry that is out of the queue, for an fsync that failed, while the disk fails there too, is not lost, and nothing is built
// on it: neither a record whose draft has its name nor a clip.
func TestNothingIsBuiltOnDoubt(t *testing.T) {
	mem := start(t)
	d := &brokenDisk{disk: mem}
	s, err := openOn(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"syncdir queue", "rename " + entryName(1, "")} {
		d.fail = map[string]error{op: syscall.EIO}
		if _, err := s.Append("", fakeRecord("loss "+op)); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", op, err)
		}
		if err := tryClip(s, "a"); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: clip: %v", op, err)
		}
	}
	d.fail = nil
	if err := errors.Join(s.Settle(), tryClip(s, "a")); err != nil {
		t.Error(err)
	}
	if got, want := texts(s), []string{"loss syncdir queue", "clip a"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A draft that fills the disk must not keep the spool from opening: its room is needed to declare it.
func TestInterruptedOnFullDisk(t *testing.T) {
	mem := start(t)
	s, err := openOn(mem)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newLedger().begin(s, "big", "clip"); err != nil {
		t.Fatal(err)
	}
	full := &fullDisk{mem, filepath.Join(cutDir, tmpDir, "big", "clip")}
	if s, err = openOn(full); err != nil {
		t.Fatal(err)
	}
	if e, ok := s.Next(0); !ok || !strings.HasSuffix(string(e.Record), " interrupted big") {
		t.Errorf("declared: %q", e.Record)
	}
}

// fullDisk has no room while a file is there.
type fullDisk struct {
	*memDisk
	hog string
}

func (d *fullDisk) Create(path string) (file, error) {
	if d.find(d.hog) != nil {
		return nil, syscall.ENOSPC
	}
	return d.memDisk.Create(path)
}

func TestOsDiskReadFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := osDisk{}.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("12345")); err != nil || f.Sync() != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if b, err := (osDisk{}).ReadFile(path, 5); err != nil || !bytes.Equal(b, []byte("12345")) {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := (osDisk{}).ReadFile(path, 4); err == nil {
		t.Error("a file over the limit is read")
	}
}
