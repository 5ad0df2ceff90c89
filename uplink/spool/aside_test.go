// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbers are those of the records in the queue.
func numbers(s *Spool) (all []uint64) {
	for e, ok := s.Next(0); ok; e, ok = s.Next(e.Seq) {
		all = append(all, e.Seq)
	}
	return all
}

// damaged makes a spool of three clips, closes it, lets damage do its work on the folder, and opens it again.
func damaged(t *testing.T, damage func(dir string, cfg Config) error) (*Spool, error) {
	t.Helper()
	dir := t.TempDir()
	cfg := smallConfig(t.TempDir())
	s, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c"} {
		mustClip(t, s, id, []byte("body of "+id))
	}
	if err := errors.Join(s.Close(), damage(dir, cfg)); err != nil {
		t.Fatal(err)
	}
	s, err = Open(dir, cfg)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

// flip changes a bit in the middle of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 0x80
	return os.WriteFile(path, b, 0o600)
}

// Whatever is damaged, the spool opens, says so, declares what is lost, and never uses a number twice.
func TestDamageIsSetAside(t *testing.T) {
	entry := filepath.Join(queueDir, entryName(2, "b"))
	for _, tt := range []struct {
		name    string
		damage  func(dir string, cfg Config) error
		want    []string // records
		numbers []uint64
	}{
		{"entry without a record", func(dir string, _ Config) error { return os.Remove(filepath.Join(dir, entry, recordFile)) },
			[]string{"clip a", "clip c", "damaged b"}, []uint64{1, 3, 4}},
		{"entry that is a file", func(dir string, _ Config) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, entry)), os.WriteFile(filepath.Join(dir, entry), nil, 0o600))
		}, []string{"clip a", "clip c", "damaged b"}, []uint64{1, 3, 4}},
		{"foreign name", func(dir string, _ Config) error { return os.Mkdir(filepath.Join(dir, queueDir, "lost"), 0o700) },
			[]string{"clip a", "clip b", "clip c", "damaged "}, []uint64{1, 2, 3, 4}},
		{"note", func(dir string, _ Config) error {
			return os.WriteFile(filepath.Join(dir, entry, noteFile), []byte("?"), 0o600)
		},
			[]string{"clip a", "clip c", "damaged b"}, []uint64{1, 3, 4}},
		{"queue is a file", func(dir string, _ Config) error {
			queue := filepath.Join(dir, queueDir)
			return errors.Join(os.RemoveAll(queue), os.WriteFile(queue, nil, 0o600))
		}, []string{"damaged "}, []uint64{4}},
		{"head", func(dir string, _ Config) error { return flip(filepath.Join(dir, headFile)) },
			[]string{"clip a", "clip b", "clip c", "store lost"}, []uint64{1, 2, 3, 1025}},
		{"no head", func(dir string, _ Config) error { return os.Remove(filepath.Join(dir, headFile)) },
			[]string{"clip a", "clip b", "clip c", "store lost"}, []uint64{1, 2, 3, 1025}},
		{"everything", func(dir string, _ Config) error { return os.RemoveAll(dir) }, []string{"store lost"}, []uint64{1025}},
		{"an older head", func(dir string, cfg Config) error {
			return os.WriteFile(cfg.Reserve, encodeMark(9*reserveBlock), 0o600)
		}, []string{"clip a", "clip b", "clip c", "store lost"}, []uint64{1, 2, 3, 9*reserveBlock + 1}},
		{"reserve", func(_ string, cfg Config) error { return flip(cfg.Reserve) },
			[]string{"clip a", "clip b", "clip c"}, []uint64{1, 2, 3}},
		{"no reserve", func(_ string, cfg Config) error { return os.Remove(cfg.Reserve) },
			[]string{"clip a", "clip b", "clip c"}, []uint64{1, 2, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := damaged(t, tt.damage)
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(s); !slices.Equal(got, tt.want) {
				t.Errorf("records %q, want %q", got, tt.want)
			}
			if got := numbers(s); !slices.Equal(got, tt.numbers) {
				t.Errorf("numbers %d, want %d", got, tt.numbers)
			}
			if loud := s.Aside() != nil; loud == (tt.name == "no reserve") {
				t.Errorf("told: %v", s.Aside())
			}
			e := mustClip(t, s, "d", nil)
			if last := tt.numbers[len(tt.numbers)-1]; e.Seq != last+1 {
				t.Errorf("the next record is %d, after %d", e.Seq, last)
			}
			// Once only: the next time all is sound.
			dir, cfg := s.dir, s.cfg
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, cfg)
			if got := texts(s); !slices.Equal(got, append(tt.want, "clip d")) || s.Aside() != nil {
				t.Errorf("opened again: %q, %v", got, s.Aside())
			}
		})
	}
}

// Without any trace of the numbers used the chain does not go on.
func TestDamageOfBoth(t *testing.T) {
	_, err := damaged(t, func(dir string, cfg Config) error {
		return errors.Join(flip(filepath.Join(dir, headFile)), flip(cfg.Reserve))
	})
	if !errors.Is(err, ErrNoMark) {
		t.Errorf("head and reserve damaged: %v", err)
	}
}

// A lost store whose numbers nobody reserved begins at 1 again: that is the fork that the reserve is against.
func TestMutantWithoutReserveForks(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		s := mustOpen(t, dir, Config{})
		if e := mustClip(t, s, "a", nil); e.Seq != 1 {
			t.Errorf("record %d: the scenario shows no fork", e.Seq)
		}
		if err := errors.Join(s.Close(), os.RemoveAll(dir)); err != nil {
			t.Fatal(err)
		}
	}
}

// The reserve grows by a block at a time, before its numbers are used.
func TestReserveGrows(t *testing.T) {
	mem := start(t)
	s, err := openOn(mem)
	if err != nil {
		t.Fatal(err)
	}
	for range reserveBlock + 1 {
		e, err := s.Append("", fakeRecord("loss"))
		if err != nil {
			t.Fatal(err)
		}
		if s.mark < e.Seq || s.mark > e.Seq+reserveBlock {
			t.Fatalf("record %d with numbers reserved up to %d", e.Seq, s.mark)
		}
		if err := s.Remove(e.Seq, sha256.Sum256(e.Record)); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = openOn(mem); err != nil || s.mark != 2*reserveBlock || s.Aside() != nil {
		t.Errorf("opened again: reserved up to %d, %v, %v", s.mark, err, s.Aside())
	}
}

func TestAsideIsBounded(t *testing.T) {
	dir, cfg := t.TempDir(), smallConfig(t.TempDir())
	for i := range maxAside + 5 {
		if err := os.MkdirAll(filepath.Join(dir, queueDir, fmt.Sprint("foreign", i)), 0o700); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, dir, cfg)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, asideDir))
	if err != nil || len(left) > maxAside {
		t.Fatalf("%d aside, %v", len(left), err)
	}
	if newest := left[len(left)-1].Name(); !strings.HasSuffix(newest, fmt.Sprint("foreign", maxAside+4)) {
		t.Errorf("the newest aside is %s", newest)
	}
}

func TestExpire(t *testing.T) {
	cfg := smallConfig(t.TempDir())
	old := map[string]bool{"a": true, "c": true}
	cfg.Expired = func(e Entry) bool { return old[e.ID] }
	s := mustOpen(t, t.TempDir(), cfg)
	for _, id := range []string{"a", "b", "c"} {
		mustClip(t, s, id, []byte("body"))
	}
	for range 2 { // only the oldest are asked for, and once
		if err := s.Tend(); err != nil {
			t.Error(err)
		}
	}
	if got, want := texts(s), []string{"clip a", "clip b", "clip c", "evicted a"}; !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
	if e, _ := s.Next(0); !e.Evicted {
		t.Error("the expired clip has its files")
	}
}

// A spool whose disk cannot be read yet has nothing and takes nothing; it opens when it can.
func TestReopen(t *testing.T) {
	mem := start(t)
	s, err := openOn(mem)
	if err != nil {
		t.Fatal(err)
	}
	e := mustClip(t, s, "a", []byte("body"))
	d := &brokenDisk{disk: mem, fail: map[string]error{"syncdir tmp": errors.New("broken")}}
	s = newSpool(cutDir, cutConfig(), d)
	if err := s.Reopen(); err == nil {
		t.Fatal("opened on a broken disk")
	}
	_, ok := s.Next(0)
	_, err1 := s.Append("", fakeRecord("loss"))
	_, err2 := s.Create("b")
	err3 := s.Remove(e.Seq, sha256.Sum256(e.Record))
	for _, err := range []error{err1, err2, err3, s.Settle()} {
		if !errors.Is(err, ErrNotOpen) || ok {
			t.Errorf("before it is open: %v, %v", err, ok)
		}
	}
	changed := s.Changed()
	d.fail = nil
	if err := errors.Join(s.Reopen(), s.Reopen()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("who waits for a change is not told")
	}
	if got, want := texts(s), []string{"clip a"}; !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
}

// Without the records to declare it, damage is an error.
func TestDamageUndeclared(t *testing.T) {
	for name, file := range map[string]string{
		"head":         "head",
		"foreign name": "queue/lost",
		"no record":    "queue/00000000000000000001-a/clip",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("?"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(dir, Config{}); err == nil {
			s.Close()
			t.Errorf("%s: a damaged spool opens, and may fork the chain", name)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}
