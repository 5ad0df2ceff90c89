// SPDX-License-Identifier: Apache-2.0

package console

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// board is a board whose clocks a test moves: how long it has run, and the id of that run.
type board struct {
	path string
	boot string

	mu  sync.Mutex
	run time.Duration
}

func newBoard(t testing.TB) *board {
	return &board{path: filepath.Join(t.TempDir(), "console"), boot: "first", run: time.Hour}
}

func (b *board) lock() *Lock { return OpenLock(b.path, b.boot, b.uptime) }

func (b *board) uptime() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.run
}

func (b *board) wait(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run += d
}

// restart is a cut of the supply: the board begins to count from zero.
func (b *board) restart() *Lock {
	b.boot += "'"
	b.wait(20*time.Second - b.uptime())
	return b.lock()
}

func fail(t *testing.T, l *Lock, times int) {
	t.Helper()
	for i := range times {
		if !l.Attempt() {
			t.Fatalf("locked at attempt %d", i+1)
		}
	}
}

func TestLockAfterFiveFailures(t *testing.T) {
	b := newBoard(t)
	l := b.lock()
	fail(t, l, MaxFailures-1)
	if left := l.Left(); left != 0 {
		t.Fatalf("locked for %v after %d failures", left, MaxFailures-1)
	}
	fail(t, l, 1)
	for _, step := range []struct{ wait, left time.Duration }{{0, LockedFor}, {9 * time.Minute, time.Minute}, {59 * time.Second, time.Second}} {
		b.wait(step.wait)
		if left := l.Left(); left != step.left || l.Attempt() {
			t.Errorf("%v left, want %v, or an attempt is judged", left, step.left)
		}
	}
	b.wait(time.Second)
	if l.Left() != 0 || l.Failures() != 0 || !l.Attempt() {
		t.Error("locked for longer than it should be")
	}
}

func TestPassedForgets(t *testing.T) {
	l := newBoard(t).lock()
	for range 3 {
		fail(t, l, MaxFailures-1)
		l.Passed()
	}
	fail(t, l, MaxFailures)
	if l.Left() == 0 {
		t.Error("not locked")
	}
	l.Passed() // the fifth was a good one
	if l.Left() != 0 {
		t.Error("locked after a good login")
	}
}

// Neither a restart nor a set clock shortens a lock, and a restart does not lengthen it beyond its span.
func TestLockSurvives(t *testing.T) {
	b := newBoard(t)
	fail(t, b.lock(), MaxFailures)
	b.wait(4 * time.Minute)
	if left := b.lock().Left(); left != 6*time.Minute {
		t.Errorf("the agent's restart: %v left, want 6m", left)
	}
	if left := b.restart().Left(); left != LockedFor {
		t.Errorf("the board's restart: %v left, want all of it", left)
	}
	b.wait(9 * time.Minute)
	if left := b.restart().Left(); left != LockedFor {
		t.Errorf("the board's next restart: %v left, want all of it", left)
	}
	b.wait(LockedFor)
	if l := b.lock(); l.Left() != 0 || b.restart().Left() != 0 {
		t.Error("locked for ever")
	}
}

// Four failures, the supply cut, four failures ... is no way around.
func TestFailuresSurviveRestart(t *testing.T) {
	b := newBoard(t)
	fail(t, b.lock(), MaxFailures-1)
	l := b.restart()
	if n := l.Failures(); n != MaxFailures-1 {
		t.Errorf("%d failures are known after a restart", n)
	}
	fail(t, l, 1)
	if l.Left() != LockedFor {
		t.Error("not locked")
	}
}

func TestDamagedFileLocks(t *testing.T) {
	for _, text := range []string{"", "{", `{"failures":-1}`, `{"failures":5,"boot":"first","until":9000000000000000000}`} {
		b := newBoard(t)
		if err := os.WriteFile(b.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if left := b.lock().Left(); left != LockedFor {
			t.Errorf("%q: %v left, want %v", text, left, LockedFor)
		}
	}
}

// A card that fails does not keep a technician out, and the count in memory goes on.
func TestLockWithoutDisk(t *testing.T) {
	b := newBoard(t)
	b.path = filepath.Join(b.path, "no", "folder")
	l := b.lock()
	fail(t, l, MaxFailures)
	if l.Trouble() == nil || l.Left() != LockedFor {
		t.Errorf("trouble %v, %v left", l.Trouble(), l.Left())
	}
}
