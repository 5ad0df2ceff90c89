// SPDX-License-Identifier: Apache-2.0

// Package gpio is the wires of a board: inputs that tell when they change, and outputs. Start with [Find], which opens the kernel's
// lines by name, and [Watch], which keeps an input open over whatever happens to it. Package gpiotest has wires without a board.
//
// It uses the kernel's GPIO interface of version 2, which Linux has since 5.10.
package gpio

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/warthog618/go-gpiocdev"
)

// Pulls of an input.
const (
	PullUp   = "pull-up"
	PullDown = "pull-down"
	PullNone = "no-pull"
)

// Wire says which line of the board is meant, and how it is wired. As text it is the line and, in any order, "low", "pull-up",
// "pull-down" or "no-pull", and the time for Debounce: "GPIO17 low pull-up 20ms".
type Wire struct {
	Line      string        // its name, such as GPIO17, or CHIP:OFFSET; empty for no wire
	ActiveLow bool          // it means yes at low voltage
	Pull      string        // of an input: PullUp, PullDown, PullNone; empty leaves it
	Debounce  time.Duration // of an input: shorter changes do not count
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (w *Wire) UnmarshalText(text []byte) error {
	words := strings.Fields(string(text))
	*w = Wire{}
	if len(words) == 0 {
		return nil
	}
	w.Line = words[0]
	for _, word := range words[1:] {
		debounce, err := time.ParseDuration(word)
		switch {
		case word == "low" && !w.ActiveLow:
			w.ActiveLow = true
		case slices.Contains([]string{PullUp, PullDown, PullNone}, word) && w.Pull == "":
			w.Pull = word
		case err == nil && w.Debounce == 0:
			w.Debounce = debounce
		default:
			return fmt.Errorf("wire %.70q: %.20q: want low, %s, %s, %s or a time such as 20ms", text, word, PullUp, PullDown, PullNone)
		}
	}
	return w.Validate()
}

// String is the wire as text; empty for none.
func (w Wire) String() string {
	words := []string{w.Line}
	if w.ActiveLow {
		words = append(words, "low")
	}
	if w.Pull != "" {
		words = append(words, w.Pull)
	}
	if w.Debounce > 0 {
		words = append(words, w.Debounce.String())
	}
	return strings.Join(words, " ")
}

// MarshalText implements [encoding.TextMarshaler].
func (w Wire) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Is tells whether there is a wire.
func (w Wire) Is() bool { return w.Line != "" }

// Validate checks it.
func (w Wire) Validate() error {
	switch w.Pull {
	case "", PullUp, PullDown, PullNone:
	default:
		return fmt.Errorf("pull: %q: available are %s, %s and %s", w.Pull, PullUp, PullDown, PullNone)
	}
	if w.Debounce < 0 || w.Debounce > time.Second {
		return fmt.Errorf("debounce: %v: must be 0s to 1s", w.Debounce)
	}
	if strings.Count(w.Line, ":") > 1 || len(w.Line) > 64 || strings.ContainsAny(w.Line, "/ ") {
		return fmt.Errorf("line: %.70q: want a line's name, such as GPIO17, or CHIP:OFFSET, such as gpiochip0:17", w.Line)
	}
	return nil
}

// Input is an input that is open.
type Input interface {
	// Active reads it.
	Active() (bool, error)
	Close() error
}

// Output is an output that is open; closing it leaves the line to the board's defaults.
type Output interface {
	Set(active bool) error
	Close() error
}

// Board opens wires. Errors end with what to do.
type Board interface {
	// Input opens an input. changed is called from a goroutine of the driver with each edge, in order; it must return at once, and must
	// not close the input. Edges may be lost when many come at once: lost tells that some were, and then Active is to be read.
	Input(w Wire, changed func(active, lost bool)) (Input, error)
	Output(w Wire, active bool) (Output, error)
}

// consumer is what other programs see as the user of a line.
const consumer = "nightjar"

// Find is this machine's [Board].
func Find() Board { return kernel{} }

type kernel struct{}

func (kernel) Input(w Wire, changed func(active, lost bool)) (Input, error) {
	chip, offset, err := find(w.Line)
	if err != nil {
		return nil, err
	}
	var last uint32
	handler := func(e gpiocdev.LineEvent) {
		lost := last != 0 && e.LineSeqno != last+1
		last = e.LineSeqno
		changed(e.Type == gpiocdev.LineEventRisingEdge, lost) // edges are of what the line means, not of its voltage
	}
	options := []gpiocdev.LineReqOption{gpiocdev.AsInput, gpiocdev.WithConsumer(consumer), gpiocdev.WithBothEdges, gpiocdev.WithMonotonicEventClock,
		gpiocdev.WithEventBufferSize(64), gpiocdev.WithEventHandler(handler)}
	if w.ActiveLow {
		options = append(options, gpiocdev.AsActiveLow)
	}
	switch w.Pull {
	case PullUp:
		options = append(options, gpiocdev.WithPullUp)
	case PullDown:
		options = append(options, gpiocdev.WithPullDown)
	case PullNone:
		options = append(options, gpiocdev.WithBiasDisabled)
	}
	if w.Debounce > 0 {
		options = append(options, gpiocdev.WithDebounce(w.Debounce))
	}
	l, err := gpiocdev.RequestLine(chip, offset, options...)
	if err != nil {
		return nil, fmt.Errorf("open line %s as an input: %w", w.Line, hint(err))
	}
	return input{l}, nil
}

func (kernel) Output(w Wire, active bool) (Output, error) {
	chip, offset, err := find(w.Line)
	if err != nil {
		return nil, err
	}
	options := []gpiocdev.LineReqOption{gpiocdev.AsOutput(value(active)), gpiocdev.WithConsumer(consumer)}
	if w.ActiveLow {
		options = append(options, gpiocdev.AsActiveLow)
	}
	l, err := gpiocdev.RequestLine(chip, offset, options...)
	if err != nil {
		return nil, fmt.Errorf("open line %s as an output: %w", w.Line, hint(err))
	}
	return output{l}, nil
}

// ErrAbsent says that the board has no such line.
var ErrAbsent = errors.New("the board has no such line")

// find returns where a line is: by name, since boards of one kind number their chips differently.
func find(line string) (chip string, offset int, err error) {
	if chip, number, ok := strings.Cut(line, ":"); ok {
		offset, err := strconv.Atoi(number)
		if err != nil || offset < 0 {
			return "", 0, fmt.Errorf("line %s: want CHIP:OFFSET, such as gpiochip0:17", line)
		}
		return chip, offset, nil
	}
	chips := gpiocdev.Chips()
	for _, name := range chips {
		c, err := gpiocdev.NewChip(name)
		if err != nil {
			return "", 0, fmt.Errorf("open %s: %w", name, hint(err))
		}
		offset, err := c.FindLine(line)
		c.Close()
		if err == nil {
			return name, offset, nil
		}
	}
	if len(chips) == 0 {
		return "", 0, fmt.Errorf("line %s: %w: it has no GPIO chip at all", line, ErrAbsent)
	}
	return "", 0, fmt.Errorf("line %s: %w: `nightjar gpio` shows those it has", line, ErrAbsent)
}

func hint(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: add the agent's user to the group gpio", err)
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("%w: another program or driver has it: `nightjar gpio` shows which", err)
	}
	return err
}

func value(active bool) int {
	if active {
		return 1
	}
	return 0
}

type input struct{ l *gpiocdev.Line }

func (i input) Active() (bool, error) {
	v, err := i.l.Value()
	return v != 0, err
}
func (i input) Close() error { return i.l.Close() }

type output struct{ l *gpiocdev.Line }

func (o output) Set(active bool) error { return o.l.SetValue(value(active)) }
func (o output) Close() error          { return o.l.Close() }

// Line is what a board has.
type Line struct {
	Chip   string `json:"chip"`
	Offset int    `json:"offset"`
	Name   string `json:"name,omitempty"`
	User   string `json:"user,omitempty"` // who has it
	Output bool   `json:"output"`
}

// List returns the lines of this board that have a name or a user.
func List() (lines []Line, err error) {
	for _, name := range gpiocdev.Chips() {
		c, e := gpiocdev.NewChip(name)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("open %s: %w", name, hint(e)))
			continue
		}
		for offset := range c.Lines() {
			info, e := c.LineInfo(offset)
			if e != nil || info.Name == "" && !info.Used {
				continue
			}
			lines = append(lines, Line{name, offset, info.Name, info.Consumer, info.Config.Direction == gpiocdev.LineDirectionOutput})
		}
		c.Close()
	}
	return lines, err
}
