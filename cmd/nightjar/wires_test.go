// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/gpio"
	"github.com/nightjar-cam/nightjar/board/gpio/gpiotest"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/board/privacy"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/record"
)

// wired is a board with everything connected to it.
type wired struct {
	*wires
	board  *gpiotest.Board
	mu2    sync.Mutex
	events []string
	resets int
}

// connect runs the task in the bubble of the test, which ends it.
func connect(t *testing.T, change func(*config.Wires)) *wired {
	t.Helper()
	cfg := config.Default().Wires
	line := func(name string) gpio.Wire { return gpio.Wire{Line: name} }
	cfg.PIR, cfg.Button, cfg.Tamper, cfg.Privacy, cfg.LED, cfg.Shutter = line("PIR"), line("BUTTON"), line("TAMPER"), line("PRIVACY"), line("LED"), line("SHUTTER")
	if change != nil {
		change(&cfg)
	}
	w := &wired{board: gpiotest.New("PIR", "BUTTON", "TAMPER", "PRIVACY", "LED", "SHUTTER")}
	log := slog.New(slog.DiscardHandler)
	event := func(code, by, _ string) {
		w.mu2.Lock()
		defer w.mu2.Unlock()
		w.events = append(w.events, code+" by "+by)
	}
	mode := privacy.Open(filepath.Join(t.TempDir(), "privacy"), privacy.DefaultConfig(), func(on bool, by string) {
		event(map[bool]string{true: record.PrivacyOn, false: record.PrivacyOff}[on], by, "")
	})
	w.wires = newWires(cfg, w.board.Wires(), mode, event, func() error { w.resets++; return nil }, health.New(log, time.Now), log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return w
}

func (w *wired) drive(name string, active bool) {
	w.board.Drive(name, active)
	synctest.Wait()
}

func (w *wired) happened(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	w.mu2.Lock()
	defer w.mu2.Unlock()
	if !slices.Equal(w.events, want) {
		t.Errorf("events %q, want %q", w.events, want)
	}
}

func (w *wired) troubled(code health.Code) bool {
	return slices.ContainsFunc(w.health.Troubles(), func(t health.Trouble) bool { return t.Code == code })
}

func TestTamperSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, nil)
		w.happened(t)
		w.drive("TAMPER", true)
		if !w.troubled(health.HousingOpen) || w.status()["tamper"] != "on" {
			t.Errorf("an open housing is no trouble: %q", w.status())
		}
		w.drive("TAMPER", false)
		if w.troubled(health.HousingOpen) || w.status()["tamper"] != "off" {
			t.Error("a closed housing is a trouble")
		}
		w.happened(t, "tamper-open by local", "tamper-closed by local")
	})
}

func TestPrivacySwitchAndShutter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, nil)
		w.drive("PRIVACY", true)
		if !w.mode.Closed() {
			t.Fatal("the switch closes nothing")
		}
		if err := w.mode.Set(privacy.Owner, false); !errors.Is(err, privacy.ErrHeld) {
			t.Errorf("the switch was overruled: %v", err)
		}
		if got := w.board.Output("SHUTTER"); !got[len(got)-1] {
			t.Errorf("the shutter is open: %v", got)
		}
		before := len(w.board.Output("LED"))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := w.board.Output("LED"); slices.Contains(got[before+1:], true) {
			t.Error("the lamp shines in privacy mode")
		}
		w.drive("PRIVACY", false)
		if got := w.board.Output("SHUTTER"); w.mode.Closed() || got[len(got)-1] {
			t.Error("it stays closed")
		}
		w.happened(t, "privacy-on by switch", "privacy-off by switch")
	})
}

func TestButton(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, nil)
		present := make(chan error, 1)
		go func() { present <- w.pressed(t.Context()) }()
		synctest.Wait()
		w.drive("BUTTON", true)
		time.Sleep(time.Second)
		w.drive("BUTTON", false)
		if err := <-present; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.pressed(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a press counts for who comes later: %v", err)
		}
		w.drive("BUTTON", true)
		time.Sleep(9 * time.Second)
		w.drive("BUTTON", false)
		if w.resets != 0 {
			t.Fatal("reset by a press")
		}
		w.drive("BUTTON", true)
		time.Sleep(30 * time.Second)
		w.drive("BUTTON", false)
		if w.resets != 1 {
			t.Errorf("reset %d times", w.resets)
		}
		w.happened(t, "button-pressed by local", "button-pressed by local", "button-held by local")
	})
}

func TestPIR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, func(c *config.Wires) { c.PIRUse = config.PIRRequire })
		if w.mayMove() {
			t.Error("before the sensor saw anybody")
		}
		w.drive("PIR", true)
		time.Sleep(time.Hour)
		if !w.mayMove() {
			t.Error("while the sensor sees somebody")
		}
		w.drive("PIR", false)
		time.Sleep(9 * time.Second)
		if !w.mayMove() {
			t.Error("just after the sensor saw somebody")
		}
		time.Sleep(2 * time.Second)
		if w.mayMove() {
			t.Error("long after the sensor saw anybody")
		}
		w.happened(t, "pir by agent")
		w.board.Unplug("PIR", true)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !w.mayMove() {
			t.Error("a sensor that was cut off blinds the camera")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if w := connect(t, nil); !w.mayMove() {
			t.Error("a sensor that is only noted counts")
		}
	})
}

// What is absent is a trouble that names it, and nothing else suffers.
func TestAbsentWires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, func(c *config.Wires) { c.Tamper.Line, c.LED.Line = "GPIO99", "GPIO98" })
		i := slices.IndexFunc(w.health.Troubles(), func(t health.Trouble) bool { return t.Code == health.WireAbsent })
		if i < 0 {
			t.Fatal("no trouble")
		}
		if d := w.health.Troubles()[i].Detail; !strings.Contains(d, "tamper") || !strings.Contains(d, "led") {
			t.Errorf("%q", d)
		}
		if s := w.status(); !strings.HasPrefix(s["tamper"], "absent: ") || s["button"] != "off" {
			t.Errorf("%q", s)
		}
		w.drive("PRIVACY", true)
		if !w.mode.Closed() {
			t.Error("the privacy switch does not work")
		}
	})
}

func TestLamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, nil)
		flashes := func(d time.Duration) (n int) {
			before := len(w.board.Output("LED"))
			time.Sleep(d)
			synctest.Wait()
			was := false
			for _, lit := range w.board.Output("LED")[before:] {
				if lit && !was {
					n++
				}
				was = lit
			}
			return n
		}
		if n := flashes(30 * time.Second); n != 3 {
			t.Errorf("well: %d flashes in 30 s", n)
		}
		w.health.Set(health.HubUnreachable, errors.New("no route"))
		if n := flashes(30 * time.Second); n != 12 {
			t.Errorf("no hub: %d flashes in 30 s", n)
		}
		w.health.Set(health.CardFails, errors.New("input/output error"))
		if n := flashes(20 * time.Second); n != 30 {
			t.Errorf("an error: %d flashes in 20 s", n)
		}
		w.drive("BUTTON", true)
		if n := flashes(3 * time.Second); n < 20 {
			t.Errorf("the button is held: %d flashes in 3 s", n)
		}
	})
}
