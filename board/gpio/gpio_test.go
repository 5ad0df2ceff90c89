// SPDX-License-Identifier: Apache-2.0

package gpio_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/gpio"
	"github.com/nightjar-cam/nightjar/board/gpio/gpiotest"
)

// watched is a line that is being watched.
type watched struct {
	board  *gpiotest.Board
	mu     sync.Mutex
	seen   []bool
	states []error
	stop   func()
}

func watch(t *testing.T, b *gpiotest.Board) *watched {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{board: b}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		gpio.Watch(ctx, b.Wires(), gpio.Wire{Line: "PIR"}, w.see, w.state)
	}()
	w.stop = func() { cancel(); <-ended }
	synctest.Wait()
	return w
}

func (w *watched) see(active bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, active)
}

func (w *watched) state(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, err)
}

func (w *watched) want(t *testing.T, seen ...bool) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.seen, seen) {
		t.Errorf("seen %v, want %v", w.seen, seen)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gpiotest.New("PIR")
		w := watch(t, b)
		w.want(t, false)
		b.Drive("PIR", true)
		w.want(t, false, true)
		for range 3 { // shorter than anybody can look
			b.Drive("PIR", false)
			b.Drive("PIR", true)
		}
		w.want(t, false, true, false, true, false, true, false, true)
		w.stop()
		if b.Open("PIR") != 0 {
			t.Error("the line is still open")
		}
	})
}

// Edges that get lost, with another behind them or without, leave no wrong level for longer than a second.
func TestWatchLostEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gpiotest.New("PIR")
		w := watch(t, b)
		defer w.stop()
		b.Lose("PIR", 1)
		b.Drive("PIR", true)
		w.want(t, false)
		time.Sleep(1100 * time.Millisecond)
		w.want(t, false, true)
		b.Lose("PIR", 2)
		b.Drive("PIR", false)
		b.Drive("PIR", true)
		b.Drive("PIR", false)
		w.want(t, false, true, false)
	})
}

func TestWatchFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gpiotest.New("PIR")
		w := watch(t, b)
		defer w.stop()
		for range 10_000 {
			b.Drive("PIR", true)
			b.Drive("PIR", false)
		}
		b.Drive("PIR", true)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.seen[len(w.seen)-1] {
			t.Error("behind a flood of edges the level is wrong")
		}
	})
}

func TestWatchAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gpiotest.New("PIR")
		b.Unplug("PIR", true)
		w := watch(t, b)
		defer w.stop()
		w.mu.Lock()
		if len(w.states) != 1 || !errors.Is(w.states[0], gpio.ErrAbsent) {
			t.Fatalf("%v", w.states)
		}
		w.mu.Unlock()
		b.Unplug("PIR", false)
		b.Drive("PIR", true)
		time.Sleep(31 * time.Second)
		w.want(t, true)
		b.Unplug("PIR", true)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.states) != 3 || w.states[1] != nil || w.states[2] == nil {
			t.Errorf("%v", w.states)
		}
		if b.Open("PIR") != 0 {
			t.Error("the line that failed is still open")
		}
	})
}

func TestButton(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1000, int64(s*1e9)) }
	b := gpio.Button{Hold: 10 * time.Second}
	if b.Set(false, at(0)) || b.Held(at(0)) || b.Down() {
		t.Error("a button that nobody touched")
	}
	b.Set(true, at(1))
	b.Set(true, at(2))
	if !b.Down() || b.Left(at(3)) != 8*time.Second || b.Held(at(10)) {
		t.Error("held too early")
	}
	if !b.Set(false, at(10.9)) {
		t.Error("released before its time is a press")
	}
	b.Set(true, at(20))
	if !b.Held(at(30)) || b.Held(at(31)) || b.Left(at(31)) != 0 {
		t.Error("held is told once")
	}
	if b.Set(false, at(32)) {
		t.Error("the end of a hold is no press")
	}
	b.Set(true, at(40))
	if b.Set(false, at(55)) {
		t.Error("a hold that nobody asked about is no press")
	}
}

func TestPattern(t *testing.T) {
	if lit, left := gpio.Dark.At(time.Hour); lit || left != 0 {
		t.Error("dark is lit")
	}
	if lit, _ := gpio.Lit.At(5 * time.Hour); !lit {
		t.Error("lit is dark")
	}
	for _, p := range []gpio.Pattern{gpio.Well, gpio.Seeing, gpio.Alone, gpio.Wrong, gpio.Urgent} {
		edges, was := 0, false
		for at := time.Duration(0); at < time.Minute; {
			lit, left := p.At(at)
			if left <= 0 {
				t.Fatalf("%v: it stays for ever at %v", p, at)
			}
			if lit != was {
				edges++
			}
			was = lit
			at += left
		}
		if edges < 10 {
			t.Errorf("%v changes %d times a minute", p, edges)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, w := range []gpio.Wire{{Line: "a b"}, {Line: "a:b:c"}, {Line: "/dev/gpiochip0"}, {Line: "PIR", Pull: "left"}, {Line: "PIR", Debounce: time.Minute}, {Line: "PIR", Debounce: -1}} {
		if w.Validate() == nil {
			t.Errorf("%+v is taken", w)
		}
	}
	for _, w := range []gpio.Wire{{}, {Line: "GPIO17", Pull: gpio.PullUp, ActiveLow: true, Debounce: 20 * time.Millisecond}, {Line: "gpiochip0:17"}} {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
		if w.Is() != (w.Line != "") {
			t.Error("Is")
		}
	}
}

func TestWireText(t *testing.T) {
	for text, want := range map[string]gpio.Wire{
		"":                        {},
		"GPIO17":                  {Line: "GPIO17"},
		"GPIO17 low pull-up":      {Line: "GPIO17", ActiveLow: true, Pull: gpio.PullUp},
		"gpiochip0:4 no-pull 5ms": {Line: "gpiochip0:4", Pull: gpio.PullNone, Debounce: 5 * time.Millisecond},
	} {
		var w gpio.Wire
		if err := w.UnmarshalText([]byte(text)); err != nil || w != want || w.String() != text {
			t.Errorf("%q: %+v, %q (%v)", text, w, w, err)
		}
	}
	for _, bad := range []string{"GPIO17 high", "GPIO17 low low", "GPIO17 pull-up pull-down", "GPIO17 5ms 6ms", "GPIO17 1h", "a/b"} {
		if err := new(gpio.Wire).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzWire(f *testing.F) {
	f.Add("GPIO17 low pull-up 20ms")
	f.Fuzz(func(t *testing.T, text string) {
		var w, again gpio.Wire
		if w.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(w.String())); err != nil || again != w {
			t.Fatalf("%q: %+v, then %+v (%v)", text, w, again, err)
		}
	})
}

// A machine without wires, as most are, is one that says so.
func TestNoSuchLine(t *testing.T) {
	b := gpio.Find()
	w := gpio.Wire{Line: "no-such-line-of-nightjar"}
	if _, err := b.Input(w, func(bool, bool) {}); !errors.Is(err, gpio.ErrAbsent) {
		t.Errorf("input: %v", err)
	}
	if _, err := b.Output(w, true); !errors.Is(err, gpio.ErrAbsent) {
		t.Errorf("output: %v", err)
	}
	if _, err := b.Input(gpio.Wire{Line: "gpiochip999:1"}, func(bool, bool) {}); err == nil {
		t.Error("a chip that there is not was opened")
	}
	if _, err := gpio.List(); err != nil {
		t.Error(err)
	}
}
