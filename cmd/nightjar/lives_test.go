// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
)

// board is one whose camera is dead, or not; its agent lives again and again.
type board struct {
	t     *testing.T
	state string
	boot  string
	up    time.Duration
}

func (b *board) start() *lives {
	l := openLives(b.state, slog.New(slog.DiscardHandler))
	l.boot, l.uptime = b.boot, func() time.Duration { return b.up }
	return l
}

// The ladder: after a minute in the dark the agent starts anew, after another one the board, and then the board at growing
// distances only, whatever the agent does.
func TestLadder(t *testing.T) {
	b := &board{t: t, state: t.TempDir(), boot: "boot 0"}
	var total time.Duration // since the camera died
	var reboots []time.Duration
	restarts := 0
	for total < 4*24*time.Hour {
		l := b.start()
		l.begin("")
		for dark := time.Duration(0); ; dark += 5 * time.Second {
			b.up += 5 * time.Second
			total += 5 * time.Second
			err := l.dark(dark, false)
			if errors.Is(err, errRestart) {
				restarts++
				break
			}
			if errors.Is(err, errReboot) {
				reboots = append(reboots, total)
				b.boot, b.up = b.boot+"'", 0
				break
			}
			if total > 4*24*time.Hour {
				break
			}
		}
	}
	if restarts != 1 || len(reboots) < 5 || len(reboots) > 7 {
		t.Fatalf("%d restarts, and reboots at %v", restarts, reboots)
	}
	if reboots[0] > 3*time.Minute {
		t.Errorf("the first reboot is after %v", reboots[0])
	}
	for i, at := range reboots {
		if i > 0 && at-reboots[i-1] < time.Hour {
			t.Errorf("two reboots within %v", at-reboots[i-1])
		}
		if i > 2 && at-reboots[i-3] < 24*time.Hour {
			t.Errorf("four reboots within %v", at-reboots[i-3])
		}
	}
}

// Frames for a minute make restarts count anew; reboots take a day of them, so that a camera that breathes once an hour does
// not reboot the board each time.
func TestLadderBeginsAnewWithFrames(t *testing.T) {
	b := &board{t: t, state: t.TempDir(), boot: "boot", up: 30 * time.Minute}
	l := b.start()
	l.begin("")
	l.kept.Restarts, l.kept.Reboots = 1, 1
	l.bright(brightAfter - time.Second)
	if err := l.dark(2*time.Minute, false); err != nil {
		t.Errorf("half an hour after a reboot: %v", err)
	}
	l.bright(brightAfter)
	if err := l.dark(2*time.Minute, false); !errors.Is(err, errRestart) {
		t.Errorf("after a minute of frames: %v", err)
	}
	l.bright(soberAfter)
	l.kept.Restarts = 1
	if err := l.dark(2*time.Minute, false); !errors.Is(err, errReboot) {
		t.Errorf("after a day of frames: %v", err)
	}
}

// A driver that hangs keeps nobody from starting anew at once, and then not before there is some hope.
func TestLadderOfADriverThatHangs(t *testing.T) {
	b := &board{t: t, state: t.TempDir(), boot: "boot", up: time.Minute}
	l := b.start()
	l.begin("")
	if err := l.dark(7*time.Second, true); !errors.Is(err, errRestart) || !strings.Contains(err.Error(), "does not return") {
		t.Errorf("the first time: %v", err)
	}
	l = b.start()
	l.begin("")
	l.kept.Reboots = 1
	if err := l.dark(2*time.Minute, true); err != nil {
		t.Errorf("the second time: %v", err)
	}
	b.up += stuckApart
	if err := l.dark(12*time.Minute, true); !errors.Is(err, errRestart) {
		t.Errorf("later: %v", err)
	}
}

// What cannot be counted is not done: a card that fails must not become a board that reboots for ever.
func TestLadderWithoutACard(t *testing.T) {
	b := &board{t: t, state: t.TempDir(), boot: "boot", up: time.Hour}
	l := b.start()
	l.write = func(string, []byte) error { return errors.New("read-only file system") }
	l.begin("")
	for _, stuck := range []bool{false, true} {
		if err := l.dark(time.Hour, stuck); err != nil {
			t.Errorf("stuck %v: %v", stuck, err)
		}
	}
	l = b.start()
	l.begin("")
	l.write = func(string, []byte) error { return errors.New("read-only file system") }
	if err := l.dark(time.Hour, false); err != nil {
		t.Errorf("a card that failed since: %v", err)
	}
}

// Each start says how the life before it ended.
func TestStartSaysWhy(t *testing.T) {
	b := &board{t: t, state: t.TempDir(), boot: "one"}
	expect := func(when, reset, wantCode, wantDetail string) *lives {
		t.Helper()
		l := b.start()
		code, detail := l.begin(reset)
		if code != wantCode || !strings.Contains(detail, wantDetail) && wantCode != "" {
			t.Errorf("%s: %q %q, want %q %q", when, code, detail, wantCode, wantDetail)
		}
		return l
	}
	l := expect("the first start of all", "", "", "")
	if err := l.over(nil); err != nil {
		t.Fatal(err)
	}
	expect("after a stop", "", record.AgentRestarted, "in good order")
	expect("after a kill", "", record.AgentRestarted, "without a word")
	b.boot = "two"
	expect("after a cut", "", record.BoardRebooted, "a loss of power")
	b.boot = "three"
	l = expect("after a freeze", "the hardware watchdog reset it", record.BoardRebooted, "the hardware watchdog")
	wanted := l.turn(endReboot, "the camera gave no frames for 1m0s", errReboot)
	rebooted := 0
	l.reboot = func() error { rebooted++; return errors.New("not permitted") }
	if err := l.over(wanted); !errors.Is(err, errReboot) || rebooted != 1 {
		t.Errorf("rebooted %d times, %v", rebooted, err)
	}
	expect("when it could not reboot", "", record.AgentRestarted, "could not be rebooted: the camera gave no frames")
	b.boot = "four"
	l = b.start()
	l.kept.Ended, l.kept.Why = endReboot, "the camera gave no frames for 1m0s"
	l.save()
	l = expect("when it could", "", record.BoardRebooted, "the camera gave no frames for 1m0s")
	if err := l.over(errors.New("task spool: locked")); err == nil {
		t.Error("a failure is kept quiet")
	}
	expect("after a failure", "", record.AgentRestarted, "task spool: locked")
}

// An agent that dies every two seconds does not fill the chain.
func TestCrashLoopIsCounted(t *testing.T) {
	b := &board{t: t, state: t.TempDir(), boot: "boot"}
	signed, last := 0, ""
	for range 1000 {
		b.up += 2 * time.Second
		if code, detail := b.start().begin(""); code != "" {
			signed, last = signed+1, detail
		}
	}
	if signed != perHour-1 {
		t.Errorf("%d of 1000 starts within the hour are signed", signed)
	}
	b.up += time.Hour
	if code, detail := b.start().begin(""); code != record.AgentRestarted || !strings.Contains(detail, "994 more starts") {
		t.Errorf("an hour later: %q %q after %q", code, detail, last)
	}
}

func TestDamagedLivesAreBegunAnew(t *testing.T) {
	b := &board{t: t, state: t.TempDir(), boot: "boot"}
	for _, text := range []string{"", "{", `{"v":2}`, `{"v":1,"restarts":-1}`, `{"v":1,"starts":[1,2,3,4,5,6,7]}`, strings.Repeat("x", 10_000)} {
		if err := os.WriteFile(livesFile(b.state), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _ := b.start().begin(""); code != "" {
			t.Errorf("%.20q is believed: %s", text, code)
		}
		if code, _ := b.start().begin(""); code != record.AgentRestarted {
			t.Errorf("after %.20q the file is not good again: %q", text, code)
		}
	}
}

func FuzzParseLives(f *testing.F) {
	f.Add([]byte(`{"v":1,"boot":"b","ended":"reboot","why":"x","restarts":1,"reboots":2,"starts":[1,2],"unsigned":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseLives(text)
		if err == nil && (k.Version != livesVersion || k.Restarts < 0 || k.Reboots < 0 || len(k.Starts) > perHour) {
			t.Errorf("%+v", k)
		}
	})
}
