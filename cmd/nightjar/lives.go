// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/power"
	"github.com/nightjar-cam/nightjar/keys/durable"
	"github.com/nightjar-cam/nightjar/keys/record"
)

// lives is what the agent knows of its former lives: how the last one ended, and what was tried in vain for want of frames. It is
// the supervisor's ladder: the agent starts anew after a minute without a frame, and where that does not help, the board. The
// wall clock has no part in it, for it may be wrong; the board's uptime bounds how often it may reboot.
type lives struct {
	path   string
	log    *slog.Logger
	boot   string
	uptime func() time.Duration
	write  func(path string, text []byte) error
	reboot func() error

	once sync.Once
	mu   sync.Mutex
	kept keptLives
	held bool // the file can be written: what cannot be counted is not done
}

// keptLives is the file.
type keptLives struct {
	Version  int       `json:"v"`
	Boot     string    `json:"boot"`            // of the last life
	Ended    string    `json:"ended,omitempty"` // how it did; empty while it goes on, or if it ended without a word
	Why      string    `json:"why,omitempty"`
	At       time.Time `json:"at,omitzero"` // when it ended, by the clock of then
	Restarts int       `json:"restarts"`    // of the agent, for want of frames, since there were some
	Reboots  int       `json:"reboots"`     // of the board, likewise
	Starts   []int64   `json:"starts"`      // uptime in seconds of starts that were signed, of this boot
	Unsigned int       `json:"unsigned"`    // starts that were too many to be signed each
}

// How a life ended.
const (
	endStopped = "stopped"
	endFailed  = "failed"
	endRestart = "restart"
	endReboot  = "reboot"
)

const (
	livesVersion = 1
	maxLives     = 4 << 10 // bytes of the file

	restartAfter = time.Minute // without a frame
	brightAfter  = time.Minute // with frames, and restarts count anew
	soberAfter   = 24 * time.Hour
	stuckApart   = 10 * time.Minute // between restarts for a driver that hangs, when none has helped
)

// apart is how long the board must have run until it may be rebooted for want of frames, after so many that were in vain: one an
// hour and three a day at most, and one a day in the end.
var apart = []time.Duration{0, time.Hour, 4 * time.Hour, 24 * time.Hour}

// errRestart and errReboot end the agent: to be started again by its service manager, or with the board.
var (
	errRestart = errors.New("the agent ends, to be started anew by its service manager")
	errReboot  = errors.New("the board is rebooted")
)

func livesFile(state string) string { return filepath.Join(state, "lives") }

// openLives reads the file; what cannot be read is begun anew.
func openLives(state string, log *slog.Logger) *lives {
	l := &lives{path: livesFile(state), log: log, boot: clock.BootID(), uptime: uptime, write: durable.Replace, reboot: power.Reboot}
	kept, err := readLives(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("how the agent ended before is not known", "code", "lives", "err", err)
	}
	l.kept = kept
	return l
}

func readLives(path string) (k keptLives, err error) {
	f, err := os.Open(path)
	if err != nil {
		return k, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLives))
	if err == nil {
		k, err = parseLives(text)
	}
	if err != nil {
		return keptLives{}, fmt.Errorf("read %s: %w", path, err)
	}
	return k, nil
}

func parseLives(text []byte) (k keptLives, err error) {
	if err := json.Unmarshal(text, &k); err != nil {
		return keptLives{}, err
	}
	if k.Version != livesVersion || k.Restarts < 0 || k.Reboots < 0 || k.Unsigned < 0 || len(k.Starts) > perHour {
		return keptLives{}, errors.New("version or a count is out of range")
	}
	return k, nil
}

// uptime is how long the board has run, time asleep included.
func uptime() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// announce signs how this life began, once: the tasks may be built several times in it. reset is as for begin.
func (l *lives) announce(s *sink, reset string) {
	l.once.Do(func() {
		l.mu.Lock()
		since := l.kept.At
		l.mu.Unlock()
		if code, detail := l.begin(reset); code != "" {
			s.eventSince(code, record.Agent, detail, since)
		}
	})
}

// begin notes that a life begins and returns the event to sign for it; no code for none: the first life of all, or one too many.
// reset says what the board's watchdog knows of its last start, "" for nothing.
func (l *lives) begin(reset string) (code, detail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := &l.kept
	first, rebooted := k.Version == 0, k.Boot != l.boot
	code, detail = record.AgentRestarted, "it had ended without a word: killed, or crashed"
	switch {
	case rebooted && k.Ended == endReboot:
		detail = k.Why
	case rebooted && reset != "":
		detail = reset
	case rebooted && k.Ended == "":
		detail = "without a word before: a loss of power, or a freeze"
	case k.Ended == endReboot:
		detail = "the board could not be rebooted: " + k.Why
	case k.Ended == endStopped:
		detail = "it had been stopped in good order"
	case k.Ended != "":
		detail = k.Why
	}
	if rebooted {
		code, k.Starts = record.BoardRebooted, nil
	}
	up := int64(l.uptime() / time.Second)
	if n := len(k.Starts); n == perHour && up-k.Starts[0] < int64(time.Hour/time.Second) {
		k.Unsigned++
		code = ""
	} else {
		if n == perHour {
			k.Starts = k.Starts[1:]
		}
		k.Starts = append(k.Starts, up)
		if k.Unsigned > 0 {
			detail += fmt.Sprintf("; %d more starts before it", k.Unsigned)
		}
		k.Unsigned = 0
	}
	if first {
		code = ""
	}
	k.Version, k.Boot, k.Ended, k.Why, k.At = livesVersion, l.boot, "", "", time.Time{}
	l.save()
	return code, detail
}

// end notes how this life ends.
func (l *lives) end(how, why string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept.Ended == "" { // the first word counts
		l.kept.Ended, l.kept.Why, l.kept.At = how, clean(why), instant(at)
		l.save()
	}
}

// over notes how the agent ends, and reboots the board if that is how.
func (l *lives) over(err error) error {
	switch {
	case err == nil:
		l.end(endStopped, "", time.Now())
	case errors.Is(err, errReboot):
		l.log.Error("the board is rebooted", "code", "board-reboot", "err", err)
		return errors.Join(err, l.reboot())
	default:
		l.end(endFailed, err.Error(), time.Now())
	}
	return err
}

// save writes the file, and notes whether it could. The caller holds the lock.
func (l *lives) save() {
	text, err := json.Marshal(l.kept)
	if err == nil {
		err = l.write(l.path, append(text, '\n'))
	}
	if err != nil {
		l.log.Warn("how the agent ends cannot be kept", "code", "lives", "err", err)
	}
	l.held = err == nil
}

// dark implements [ladder].
func (l *lives) dark(d time.Duration, stuck bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d < restartAfter && !(stuck && l.kept.Restarts == 0) || !l.held {
		return nil
	}
	why := fmt.Sprintf("the camera gave no frames for %v", d.Round(time.Second))
	if stuck {
		why += ", and its driver does not return"
	}
	up := l.uptime()
	switch k := &l.kept; {
	case k.Restarts == 0 || stuck && up-time.Duration(k.lastStart())*time.Second >= stuckApart && up < l.apart():
		k.Restarts++
		return l.turn(endRestart, why, errRestart)
	case up >= l.apart():
		k.Reboots++
		return l.turn(endReboot, why, errReboot)
	}
	return nil
}

// turn notes what is done, before it is: what could not be counted is not done. The caller holds the lock.
func (l *lives) turn(how, why string, err error) error {
	l.kept.Ended, l.kept.Why = how, why
	if l.save(); !l.held {
		l.kept.Ended, l.kept.Why = "", ""
		return nil
	}
	return fmt.Errorf("%s: %w", why, err)
}

func (l *lives) apart() time.Duration { return apart[min(l.kept.Reboots, len(apart)-1)] }

func (k *keptLives) lastStart() int64 {
	if n := len(k.Starts); n > 0 {
		return k.Starts[n-1]
	}
	return 0
}

// bright implements [ladder].
func (l *lives) bright(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := &l.kept
	before := *k
	if d >= brightAfter {
		k.Restarts = 0
	}
	if d >= soberAfter {
		k.Reboots = 0
	}
	if k.Restarts != before.Restarts || k.Reboots != before.Reboots {
		l.save()
	}
}
