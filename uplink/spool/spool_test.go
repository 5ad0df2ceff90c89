// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustOpen opens a spool on the real disk and closes it with the test.
func mustOpen(t testing.TB, dir string, cfg Config) *Spool {
	t.Helper()
	s, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// smallConfig is of a spool on the real disk that holds little.
func smallConfig(dir string) Config {
	cfg := cutConfig()
	cfg.MaxBytes, cfg.Reserve = 1300, filepath.Join(dir, "reserved")
	return cfg
}

// mustClip commits a clip with one part.
func mustClip(t testing.TB, s *Spool, id string, body []byte) Entry {
	t.Helper()
	d, err := s.Create(id)
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.Part("clip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := d.Commit(fakeRecord("clip " + id))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// texts are the records in the queue without numbers and hashes.
func texts(s *Spool) (all []string) {
	for e, ok := s.Next(0); ok; e, ok = s.Next(e.Seq) {
		all = append(all, strings.SplitN(string(e.Record), " ", 3)[2])
	}
	return all
}

func TestCommitAndReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpen(t, dir, Config{})
	body := []byte("a sealed clip")
	var parts []Part
	d, err := s.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.Part("clip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(fakeRecord("early")); err == nil {
		t.Error("committed with an open part")
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if _, err := d.Commit(func(seq uint64, prev [32]byte, p []Part) ([]byte, error) {
		parts = p
		return fakeRecord("clip a")(seq, prev, p)
	}); err != nil {
		t.Fatal(err)
	}
	if want := []Part{{"clip", int64(len(body)), sha256.Sum256(body)}}; !cmp.Equal(parts, want) {
		t.Errorf("signed parts: %s", cmp.Diff(want, parts))
	}
	if _, err := s.Append("", fakeRecord("loss")); err != nil {
		t.Fatal(err)
	}
	seq, hash := s.Head()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = mustOpen(t, dir, Config{})
	if again, h := s.Head(); again != seq || h != hash || seq != 2 {
		t.Errorf("head %d, was %d", again, seq)
	}
	if n, bytes := s.Usage(); n != 2 || bytes != int64(len(body)) {
		t.Errorf("usage: %d entries, %d bytes", n, bytes)
	}
	if got := texts(s); !cmp.Equal(got, []string{"clip a", "loss"}) {
		t.Errorf("queue: %q", got)
	}
	e, _ := s.Next(0)
	f, err := e.Open("clip")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !cmp.Equal(got, body) {
		t.Errorf("clip: %q, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Config{})
	for _, id := range []string{"", "A", "../a", "a-b", "a/b", ".", strings.Repeat("a", 65)} {
		if _, err := s.Create(id); err == nil {
			t.Errorf("id %q is taken", id)
		}
	}
	// The name of a record's file is an id like another.
	d, err := s.Create("record")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"", "..", "record", "evicted", "note", "a/b"} {
		if _, err := d.Part(part); err == nil {
			t.Errorf("part %q is taken", part)
		}
	}
	if _, err := s.Append("", fakeRecord("loss")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(fakeRecord("clip record")); err != nil {
		t.Errorf("a record on its own took another draft away: %v", err)
	}
}

func TestRecordMustFit(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Config{})
	no := errors.New("no key")
	for name, sign := range map[string]SignFunc{
		"empty":  func(uint64, [32]byte, []Part) ([]byte, error) { return nil, nil },
		"large":  func(uint64, [32]byte, []Part) ([]byte, error) { return make([]byte, MaxRecord+1), nil },
		"failed": func(uint64, [32]byte, []Part) ([]byte, error) { return nil, no },
	} {
		if _, err := s.Append("a", sign); err == nil || name == "failed" && !errors.Is(err, no) {
			t.Errorf("%s record: %v", name, err)
		}
	}
	if seq, _ := s.Head(); seq != 0 {
		t.Errorf("head %d: a number was used up", seq)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Config{})
	d, err := s.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.Part("clip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), d.Abort()); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{tmpDir, queueDir} {
		if left, err := os.ReadDir(filepath.Join(dir, sub)); err != nil || len(left) > 0 {
			t.Errorf("in %s: %v, %v", sub, left, err)
		}
	}
	if _, err := d.Commit(fakeRecord("late")); err == nil {
		t.Error("committed after Abort")
	}
}

func TestRemove(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Config{})
	e := mustClip(t, s, "a", []byte("body"))
	if err := s.Remove(e.Seq, sha256.Sum256([]byte("another record"))); err == nil {
		t.Error("removed for another record's hash")
	}
	if n, _ := s.Usage(); n != 1 {
		t.Fatal("the entry is gone")
	}
	for range 2 { // an entry that is not there is no error
		if err := s.Remove(e.Seq, sha256.Sum256(e.Record)); err != nil {
			t.Error(err)
		}
	}
	if n, bytes := s.Usage(); n != 0 || bytes != 0 {
		t.Errorf("usage: %d entries, %d bytes", n, bytes)
	}
	if _, err := e.Open("clip"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the clip: %v", err)
	}
}

func TestNextAndChanged(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Config{})
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	before := s.Changed()
	if _, ok := s.Next(0); ok || closed(before) {
		t.Error("an empty spool has something")
	}
	a, b := mustClip(t, s, "a", nil), mustClip(t, s, "b", nil)
	if !closed(before) {
		t.Error("a commit is no change")
	}
	if e, ok := s.Next(0); !ok || e.Seq != a.Seq {
		t.Errorf("first: %+v", e)
	}
	if e, ok := s.Next(a.Seq); !ok || e.Seq != b.Seq {
		t.Errorf("second: %+v", e)
	}
	if _, ok := s.Next(b.Seq); ok {
		t.Error("there is a third")
	}
	before = s.Changed()
	if closed(before) {
		t.Error("changed before anything did")
	}
	if err := s.Remove(a.Seq, sha256.Sum256(a.Record)); err != nil || !closed(before) {
		t.Errorf("a removal is no change: %v", err)
	}
	if e, ok := s.Next(0); !ok || e.Seq != b.Seq {
		t.Errorf("after the removal: %+v", e)
	}
}

func TestQuota(t *testing.T) {
	dir := t.TempDir()
	cfg := smallConfig(t.TempDir())
	s := mustOpen(t, dir, cfg)
	a := mustClip(t, s, "a", make([]byte, 600))
	mustClip(t, s, "b", make([]byte, 400))
	mustClip(t, s, "c", make([]byte, 300))
	want := []string{"clip a", "clip b", "evicted a", "clip c"}
	if got := texts(s); !cmp.Equal(got, want) {
		t.Errorf("queue: %s", cmp.Diff(want, got))
	}
	if _, err := a.Open("clip"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the evicted clip: %v", err)
	}
	for _, again := range []bool{false, true} {
		if again {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, cfg)
		}
		if e, _ := s.Next(0); !e.Evicted || e.Bytes() != 0 || e.ID != "a" {
			t.Errorf("opened again %v: %+v", again, e)
		}
		if n, bytes := s.Usage(); n != 4 || bytes != 700 {
			t.Errorf("opened again %v: %d entries, %d bytes", again, n, bytes)
		}
	}
	if err := tryLarge(s, 1301); !errors.Is(err, ErrFull) {
		t.Errorf("an entry larger than the spool: %v", err)
	}
	if got := texts(s); !cmp.Equal(got, want) {
		t.Errorf("and something was evicted for it: %s", cmp.Diff(want, got))
	}
}

func TestQuotaWithoutEviction(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Config{MaxBytes: 1000})
	mustClip(t, s, "a", make([]byte, 900))
	if err := tryLarge(s, 30); !errors.Is(err, ErrFull) {
		t.Errorf("one byte too many: %v", err)
	}
	if _, err := s.Append("", fakeRecord("loss")); err != nil {
		t.Errorf("a full spool must still take records: %v", err)
	}
}

// tryLarge tries to commit a clip of n bytes.
func tryLarge(s *Spool, n int) error {
	d, err := s.Create("large")
	if err != nil {
		return err
	}
	w, err := d.Part("clip")
	if err != nil {
		return err
	}
	_, err = w.Write(make([]byte, n))
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	_, err = d.Commit(fakeRecord("clip large"))
	return errors.Join(err, d.Abort())
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Config{})
	if _, err := Open(dir, Config{}); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir, Config{})
}
