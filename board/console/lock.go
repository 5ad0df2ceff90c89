// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/board/durable"
)

// Bounds of failed logins.
const (
	MaxFailures = 5                // in a row; the last one locks
	LockedFor   = 10 * time.Minute // counted by a clock that nobody can set
)

const maxLockFile = 4 << 10 // bytes

// A Lock counts failed logins, on the disk. A failure is durable before the login is judged, so that a cut of the supply in between
// saves nobody an attempt. The span is measured by the time since the board started: setting the wall clock does not shorten it,
// and after a restart of the board it begins anew, since nobody knows how long the board was off.
type Lock struct {
	path string
	boot string               // id of this start of the board
	now  func() time.Duration // since the board started

	mu     sync.Mutex
	s      lockState
	unkept error // why the file could not be written; the count in memory goes on
}

// lockState is the file.
type lockState struct {
	Failures int           `json:"failures"`
	Boot     string        `json:"boot,omitempty"`
	Until    time.Duration `json:"until,omitempty"` // since the start of the board; 0 for not locked
}

// OpenLock reads the count from the file at path. A file that cannot be read counts as a lock: who can damage it must not gain by it.
// now tells how long the board has run, and counts while it sleeps; boot is an id that is new with each start.
func OpenLock(path, boot string, now func() time.Duration) *Lock {
	l := &Lock{path: path, boot: boot, now: now}
	switch err := l.read(); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil || l.s.Failures >= MaxFailures && l.s.Boot != boot:
		l.begin()
	case l.s.Failures >= MaxFailures:
		l.s.Until = min(l.s.Until, now()+LockedFor)
	}
	return l
}

func (l *Lock) read() error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLockFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &l.s); err != nil {
		return err
	}
	if l.s.Failures < 0 {
		return errors.New("negative count")
	}
	return nil
}

// begin locks from now on.
func (l *Lock) begin() {
	l.s = lockState{Failures: MaxFailures, Boot: l.boot, Until: l.now() + LockedFor}
	l.keep()
}

// Left returns for how long nobody can log in; 0 when the console is not locked.
func (l *Lock) Left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left()
}

func (l *Lock) left() time.Duration {
	if l.s.Failures < MaxFailures {
		return 0
	}
	if left := l.s.Until - l.now(); left > 0 {
		return left
	}
	l.s = lockState{}
	l.keep()
	return 0
}

// Failures returns how many logins failed since the last good one.
func (l *Lock) Failures() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left()
	return l.s.Failures
}

// Attempt counts a login as failed, before it is judged; [Lock.Passed] takes that back. It returns false when the console is locked:
// then nothing may be judged.
func (l *Lock) Attempt() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left() > 0 {
		return false
	}
	if l.s.Failures++; l.s.Failures >= MaxFailures {
		l.begin()
		return true
	}
	l.keep()
	return true
}

// Passed forgets the failures: somebody has logged in.
func (l *Lock) Passed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s = lockState{}
	l.keep()
}

// Trouble returns why the count is in memory only, nil when the disk has it. The console works without: nobody guesses a signature,
// and who serves a board with a broken card needs to get in.
func (l *Lock) Trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unkept
}

func (l *Lock) keep() {
	l.unkept = nil
	if err := l.write(); err != nil {
		l.unkept = fmt.Errorf("keep the count of failed logins: %w", err)
	}
}

// write replaces the file as a whole, and makes that durable: a cut leaves the old count or the new one.
func (l *Lock) write() error {
	text, err := json.Marshal(l.s)
	if err != nil {
		return err
	}
	return durable.Replace(l.path, append(text, '\n'), (*os.File).Sync)
}
