// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/synthetic"
	"github.com/nightjar-cam/nightjar/keys/durable"
	"github.com/nightjar-cam/nightjar/motion"
)

// newBusy is a keeper in front of a new detector of a camera, or of a film at speed 0.
func newBusy(t *testing.T, state string, speed float64) *busyKeeper {
	t.Helper()
	capture.Unregister(t.Name()) // of the one before
	adapter, err := synthetic.New(synthetic.Config{Width: 64, Height: 48, Rate: capture.Rate{Num: 10, Den: 1}, Speed: speed})
	c := path(t, adapter, err)
	return newBusyKeeper(state, c, slog.New(slog.DiscardHandler))
}

// taught gives its detector habits.
func (k *busyKeeper) taught(t *testing.T) []uint8 {
	t.Helper()
	blocks := make([]uint8, len(k.camera.detector.Cells(nil)))
	for i := range blocks {
		blocks[i] = uint8(i * 37)
	}
	if err := k.camera.detector.SetHabits(blocks); err != nil {
		t.Fatal(err)
	}
	return blocks
}

func (k *busyKeeper) has(t *testing.T) []uint8 {
	t.Helper()
	blocks, err := learnt(k.camera.detector).blocks()
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

// What was learnt is there after a restart; what is to be forgotten is not, whenever that was said.
func TestBusyAcrossRestarts(t *testing.T) {
	state := t.TempDir()
	k := newBusy(t, state, 1)
	k.restore(k.camera.detector) // there is nothing yet
	want := k.taught(t)
	k.last()
	k = newBusy(t, state, 1)
	if n := slices.Max(k.has(t)); n != 0 {
		t.Fatalf("a new detector has habits up to %d: nothing is tested", n)
	}
	k.restore(k.camera.detector)
	if got := k.has(t); !slices.Equal(got, want) {
		t.Errorf("after a restart %v, want %v", got, want)
	}
	if h, err := readHabits(state); err != nil || len(h.shown().Rows[0]) != h.Cols || h.shown().Rows[0][1] != '2' {
		t.Errorf("shown as %+v, %v", h.shown(), err)
	}

	// Told while no agent runs, or so late that the agent ends before it looks.
	if err := durable.Replace(busyMark(state), nil); err != nil {
		t.Fatal(err)
	}
	k.last()
	k = newBusy(t, state, 1)
	k.restore(k.camera.detector)
	if n := slices.Max(k.has(t)); n != 0 {
		t.Errorf("not forgotten: up to %d", n)
	}
	for _, path := range []string{busyFile(state), busyMark(state)} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

// A running agent saves, and forgets for good when it is told to: what it forgot is not written back.
func TestBusyWhileRunning(t *testing.T) {
	state := t.TempDir()
	k := newBusy(t, state, 1)
	k.taught(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { // the camera's goroutine
		defer close(ended)
		for {
			select {
			case f := <-k.camera.asks:
				f(k.camera.detector)
			case <-ctx.Done():
				return
			}
		}
	}()
	k.save(ctx)
	if _, err := readHabits(state); err != nil {
		t.Errorf("not saved: %v", err)
	}
	if err := k.forget(ctx); err != nil {
		t.Error(err)
	}
	if _, err := readHabits(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	stop()
	<-ended
	if n := slices.Max(k.has(t)); n != 0 {
		t.Errorf("not forgotten: up to %d", n)
	}
	if err := k.forget(ctx); !errors.Is(err, errNoFrames) {
		t.Errorf("without a camera: %v", err)
	}
}

// A film is judged the same each time, and what is damaged or of another picture is left out.
func TestBusyIsLeftOut(t *testing.T) {
	state := t.TempDir()
	k := newBusy(t, state, 0)
	k.taught(t)
	k.last()
	if _, err := os.Stat(busyFile(state)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a film's was kept: %v", err)
	}
	k = newBusy(t, state, 1)
	good := learnt(k.camera.detector)
	for what, text := range map[string]string{
		"half":           `{"v":1,"cols"`,
		"later version":  `{"v":2,"cols":1,"rows":["ff"]}`,
		"unknown":        `{"v":1,"cols":1,"rows":["ff"],"x":1}`,
		"another size":   `{"v":1,"cols":1,"rows":["ff"]}`,
		"short row":      `{"v":1,"cols":2,"rows":["ff"]}`,
		"no digits":      `{"v":1,"cols":1,"rows":["xx"]}`,
		"one row less":   string(must(json.Marshal(habits{1, good.Cols, good.Rows[1:]}))),
		"an endless one": strings.Repeat(" ", maxBusy+1),
	} {
		if err := os.WriteFile(busyFile(state), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		k.log = slog.New(slog.NewTextHandler(&log, nil))
		k.restore(k.camera.detector)
		if n := slices.Max(k.has(t)); n != 0 || !strings.Contains(log.String(), "code=busy-map") {
			t.Errorf("%s: habits up to %d; %s", what, n, log.String())
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func FuzzParseHabits(f *testing.F) {
	f.Add([]byte(`{"v":1,"cols":2,"rows":["00ff","1234"]}`))
	f.Add([]byte(`{"v":1,"cols":-1,"rows":[""]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := parseHabits(text)
		if err != nil {
			return
		}
		blocks, err := h.blocks()
		if err != nil || len(blocks) != h.Cols*len(h.Rows) || len(h.shown().Rows) != len(h.Rows) {
			t.Fatalf("%d blocks of %+v, %v", len(blocks), h, err)
		}
		d, err := motion.New(motion.DefaultConfig(), 64, 48)
		if err != nil {
			t.Fatal(err)
		}
		_ = d.SetHabits(blocks)
	})
}
