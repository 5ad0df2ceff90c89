// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/gpio"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/board/privacy"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/record"
)

// wires is the task of what is connected to the board's lines. A line that is absent is a trouble, and is looked for again; nothing else
// waits for it.
type wires struct {
	cfg    config.Wires
	board  gpio.Board
	mode   *privacy.Mode
	event  func(code, by, detail string)
	reset  func() error
	health *health.Record
	log    *slog.Logger
	ready  chan struct{}
	begun  time.Time

	warm    atomic.Int64 // until when the sensor of warmth counts, since begun; for ever while it is active
	presses chan struct{}

	mu     sync.Mutex
	states map[string]string // by the wire's name: on, off, or why it is absent
	absent map[string]error
	button gpio.Button
}

const (
	holdToReset = 10 * time.Second
	lampLooks   = 250 * time.Millisecond // at what the lamp has to show
	buttonLooks = 100 * time.Millisecond // at how long it is held
	foreverWarm = int64(1<<63 - 1)
)

func newWires(cfg config.Wires, board gpio.Board, mode *privacy.Mode, event func(code, by, detail string), reset func() error, h *health.Record, log *slog.Logger) *wires {
	w := &wires{cfg: cfg, board: board, mode: mode, event: event, reset: reset, health: h, log: log, ready: make(chan struct{}), begun: time.Now(),
		presses: make(chan struct{}), states: map[string]string{}, absent: map[string]error{}, button: gpio.Button{Hold: holdToReset}}
	close(w.ready)
	return w
}

func (w *wires) String() string         { return "wires" }
func (w *wires) Ready() <-chan struct{} { return w.ready }

// Run serves all wires until ctx ends.
func (w *wires) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, in := range []struct {
		name string
		wire gpio.Wire
		seen func(active, first bool)
	}{
		{"pir", w.cfg.PIR, w.pir}, {"button", w.cfg.Button, w.pushed}, {"tamper", w.cfg.Tamper, w.tamper}, {"privacy", w.cfg.Privacy, w.private},
	} {
		if !in.wire.Is() {
			continue
		}
		all.Go(func() {
			first := true
			gpio.Watch(ctx, w.board, in.wire, func(active bool) {
				w.saw(in.name, active)
				in.seen(active, first)
				first = false
			}, func(err error) { w.is(in.name, err) })
		})
	}
	if w.cfg.Button.Is() {
		all.Go(func() { w.hold(ctx) })
	}
	if w.cfg.LED.Is() {
		all.Go(func() { w.drive(ctx, "led", w.cfg.LED, w.lamp) })
	}
	if w.cfg.Shutter.Is() {
		all.Go(func() { w.drive(ctx, "shutter", w.cfg.Shutter, w.shutter) })
	}
	all.Wait()
	return nil
}

func (w *wires) saw(name string, active bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[name] = map[bool]string{true: "on", false: "off"}[active]
}

// is notes whether a wire can be used.
func (w *wires) is(name string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		delete(w.absent, name)
	} else {
		w.states[name] = "absent: " + err.Error()
		w.absent[name] = fmt.Errorf("%s: %w", name, err)
	}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(w.absent)) {
		all = append(all, w.absent[name])
	}
	w.health.Set(health.WireAbsent, errors.Join(all...))
}

// status returns the state of each wire by its name.
func (w *wires) status() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.states)
}

func (w *wires) pir(active, first bool) {
	if active {
		w.warm.Store(foreverWarm)
		w.event(record.PIR, record.Agent, "")
		return
	}
	if !first {
		w.warm.Store(int64(time.Since(w.begun) + w.cfg.PIRHold))
	}
}

// mayMove tells whether what moves in the picture counts. A sensor that is absent cannot say no: a cut wire must not blind the camera.
func (w *wires) mayMove() bool {
	if w.cfg.PIRUse != config.PIRRequire || int64(time.Since(w.begun)) < w.warm.Load() {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.absent["pir"] != nil || w.states["pir"] == ""
}

func (w *wires) tamper(active, first bool) {
	if !active {
		w.health.Set(health.HousingOpen, nil)
		if !first {
			w.event(record.TamperClosed, record.Local, "")
		}
		return
	}
	w.health.Set(health.HousingOpen, errors.New("its switch says so"))
	w.event(record.TamperOpen, record.Local, "")
}

func (w *wires) private(active, _ bool) {
	if err := w.mode.Set(privacy.Switch, active); err != nil && !errors.Is(err, privacy.ErrHeld) {
		w.log.Error("the privacy switch would be forgotten at a restart", "code", "privacy-unsaved", "err", err)
	}
}

func (w *wires) pushed(down, _ bool) {
	w.mu.Lock()
	pressed := w.button.Set(down, time.Now())
	w.mu.Unlock()
	if !pressed {
		return
	}
	w.event(record.ButtonPressed, record.Local, "")
	for { // everybody who waits for it now
		select {
		case w.presses <- struct{}{}:
			continue
		default:
		}
		return
	}
}

// pressed waits until the button is pressed, from now on.
func (w *wires) pressed(ctx context.Context) error {
	select {
	case <-w.presses:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold resets the camera when the button was held.
func (w *wires) hold(ctx context.Context) {
	tick := time.NewTicker(buttonLooks)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			w.mu.Lock()
			held := w.button.Held(now)
			w.mu.Unlock()
			if !held {
				continue
			}
			w.event(record.ButtonHeld, record.Local, "")
			w.log.Warn("the button was held: the camera is reset to the factory's state", "code", "factory-reset")
			if err := w.reset(); err != nil {
				w.log.Error("factory reset", "code", "factory-reset", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// drive keeps an output open over whatever happens to it. what serves it until ctx ends, or returns why it cannot any more.
func (w *wires) drive(ctx context.Context, name string, wire gpio.Wire, what func(context.Context, func(bool) error) error) {
	for ctx.Err() == nil {
		out, err := w.board.Output(wire, false)
		w.is(name, err)
		if err == nil {
			err = what(ctx, func(active bool) error {
				w.saw(name, active)
				return out.Set(active)
			})
			out.Close()
			if ctx.Err() != nil {
				return
			}
			w.is(name, err)
		}
		wait(ctx, 30*time.Second)
	}
}

// shutter closes and opens with the sensor, and is closed at the end, for as long as the board leaves the line as it is.
func (w *wires) shutter(ctx context.Context, set func(bool) error) error {
	for {
		changed := w.mode.Changed()
		if err := set(w.mode.Closed()); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return set(true)
		}
	}
}

func (w *wires) lamp(ctx context.Context, set func(bool) error) error {
	defer set(false)
	var pattern gpio.Pattern
	var since time.Time
	for {
		if now := w.pattern(); since.IsZero() || !slices.Equal(now, pattern) {
			pattern, since = now, time.Now()
		}
		lit, left := pattern.At(time.Since(since))
		if err := set(lit); err != nil {
			return err
		}
		if left == 0 || left > lampLooks {
			left = lampLooks
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return nil
		}
	}
}

// pattern is what the lamp shows: the hand on the button first, then privacy, then what is wrong.
func (w *wires) pattern() gpio.Pattern {
	w.mu.Lock()
	down := w.button.Down()
	w.mu.Unlock()
	if down {
		return gpio.Urgent
	}
	if w.mode.Closed() {
		return gpio.Dark
	}
	alone := false
	for _, t := range w.health.Troubles() {
		if t.Code != health.HubUnreachable && t.Severity != health.Notice {
			return gpio.Wrong
		}
		alone = alone || t.Code == health.HubUnreachable
	}
	if alone {
		return gpio.Alone
	}
	return gpio.Well
}
