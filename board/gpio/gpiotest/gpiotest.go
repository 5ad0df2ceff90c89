// SPDX-License-Identifier: Apache-2.0

// Package gpiotest has wires without a board: [New], then [Board.Drive] what a hand or a sensor would, and [Board.Output] what the
// program drives.
package gpiotest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/nightjar-cam/nightjar/board/gpio"
)

// Board is a [gpio.Board]. Its methods may be called from any goroutine.
type Board struct {
	mu    sync.Mutex
	lines map[string]*line
}

type line struct {
	active  bool
	absent  bool
	open    int
	changed func(active, lost bool)
	drop    int  // edges that get lost
	lost    bool // some were
	driven  []bool
}

// New returns a board with these lines, all inactive.
func New(names ...string) *Board {
	b := &Board{lines: map[string]*line{}}
	for _, n := range names {
		b.lines[n] = &line{}
	}
	return b
}

// Drive makes an input active or not. What listens is told before Drive returns.
func (b *Board) Drive(name string, active bool) {
	b.mu.Lock()
	l := b.lines[name]
	changed := l.active != active
	l.active = active
	tell, lost := l.changed, l.lost
	if changed && l.drop > 0 {
		l.drop--
		l.lost = true
		tell = nil
	} else if changed {
		l.lost = false
	}
	b.mu.Unlock()
	if changed && tell != nil {
		tell(active, lost)
	}
}

// Lose has the next n edges of a line get lost.
func (b *Board) Lose(name string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines[name].drop = n
}

// Unplug takes a line away, or gives it back: it cannot be opened, and what is open fails.
func (b *Board) Unplug(name string, absent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines[name].absent = absent
}

// Output returns what an output was set to, in order.
func (b *Board) Output(name string) []bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]bool(nil), b.lines[name].driven...)
}

// Open returns how many times a line is open.
func (b *Board) Open(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[name].open
}

var errGone = errors.New("no such device")

func (b *Board) find(w gpio.Wire) (*line, error) {
	l := b.lines[w.Line]
	if l == nil || l.absent {
		return nil, fmt.Errorf("line %s: %w", w.Line, gpio.ErrAbsent)
	}
	if l.open > 0 {
		return nil, fmt.Errorf("line %s: device or resource busy", w.Line)
	}
	l.open++
	return l, nil
}

// Input implements [gpio.Board].
func (b *Board) Input(w gpio.Wire, changed func(active, lost bool)) (gpio.Input, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, err := b.find(w)
	if err != nil {
		return nil, err
	}
	l.changed = changed
	return pin{b, l}, nil
}

func (b *Board) output(w gpio.Wire, active bool) (gpio.Output, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, err := b.find(w)
	if err != nil {
		return nil, err
	}
	l.driven = append(l.driven, active)
	return pin{b, l}, nil
}

// Wires is the board as the program sees it.
func (b *Board) Wires() gpio.Board { return wires{b} }

type wires struct{ *Board }

func (w wires) Output(wire gpio.Wire, active bool) (gpio.Output, error) {
	return w.output(wire, active)
}

type pin struct {
	b *Board
	l *line
}

func (p pin) Active() (bool, error) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.l.absent {
		return false, errGone
	}
	return p.l.active, nil
}

func (p pin) Set(active bool) error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.l.absent {
		return errGone
	}
	p.l.driven = append(p.l.driven, active)
	return nil
}

func (p pin) Close() error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.l.open--
	p.l.changed = nil
	return nil
}
