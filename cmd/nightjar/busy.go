// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/keys/durable"
	"github.com/nightjar-cam/nightjar/motion"
)

// What the detector has learnt of where it is busy by habit lies in the state folder, so that a restart costs no hours of false
// alarms. The mark says that it is to be forgotten.
func busyFile(state string) string { return filepath.Join(state, "busy") }
func busyMark(state string) string { return filepath.Join(state, "busy.forget") }

const (
	busyVersion = 1
	maxBusy     = 2 << 20         // bytes of the file
	busySave    = time.Hour       // between two saves: it is learnt over hours, and a card wears
	busyLook    = 5 * time.Second // for the mark
)

// habits are what a detector has learnt, as they lie in the file: two hexadecimal digits for each block, row by row.
type habits struct {
	Version int      `json:"v"`
	Cols    int      `json:"cols"`
	Rows    []string `json:"rows"`
}

func learnt(d *motion.Detector) habits {
	cols, _, _, _ := d.Grid()
	h := habits{Version: busyVersion, Cols: cols}
	row := make([]byte, 0, cols)
	for _, c := range d.Cells(nil) {
		if row = append(row, c.Habit); len(row) == cols {
			h.Rows = append(h.Rows, hex.EncodeToString(row))
			row = row[:0]
		}
	}
	return h
}

// blocks returns the habit of each block, row by row.
func (h habits) blocks() ([]uint8, error) {
	if h.Version != busyVersion {
		return nil, fmt.Errorf("version %d, this program knows %d", h.Version, busyVersion)
	}
	var all []uint8
	for _, row := range h.Rows {
		b, err := hex.DecodeString(row)
		if err != nil || len(b) != h.Cols {
			return nil, errors.New("a row is damaged")
		}
		all = append(all, b...)
	}
	return all, nil
}

// busyMap shows where the detector is used to motion: a text of one hexadecimal digit for each block, row by row, 0 for not
// at all and f for all day.
type busyMap struct {
	Cols int      `json:"cols"`
	Rows []string `json:"rows"`
}

func (h habits) shown() busyMap {
	m := busyMap{Cols: h.Cols}
	for _, row := range h.Rows {
		var digits strings.Builder
		for i := 0; i < len(row); i += 2 {
			digits.WriteByte(row[i])
		}
		m.Rows = append(m.Rows, digits.String())
	}
	return m
}

// readHabits reads the file and checks it.
func readHabits(state string) (h habits, err error) {
	f, err := os.Open(busyFile(state))
	if err != nil {
		return h, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBusy+1))
	if err == nil && len(text) > maxBusy {
		err = errors.New("it is too large")
	}
	if err == nil {
		h, err = parseHabits(text)
	}
	if err != nil {
		return h, fmt.Errorf("read busy map %s: %w", f.Name(), err)
	}
	return h, nil
}

func parseHabits(text []byte) (h habits, err error) {
	if err := strictJSON(text, &h); err != nil {
		return habits{}, err
	}
	if _, err := h.blocks(); err != nil {
		return habits{}, err
	}
	return h, nil
}

// A busyKeeper is the task that keeps what the detector learns across restarts, and forgets it when it is told to. Of a film it
// keeps nothing: that is judged the same each time.
type busyKeeper struct {
	state  string
	camera *camera
	log    *slog.Logger
	ready  chan struct{}

	mu     sync.Mutex // a save must not write back what is being forgotten
	failed bool       // the last save, which the log knows of
}

func newBusyKeeper(state string, c *camera, log *slog.Logger) *busyKeeper {
	k := &busyKeeper{state: state, camera: c, log: log, ready: make(chan struct{})}
	close(k.ready)
	return k
}

func (k *busyKeeper) String() string         { return "busy map" }
func (k *busyKeeper) Ready() <-chan struct{} { return k.ready }

// restore gives a detector what an earlier one has learnt, before the first frame. What cannot be used is left out: it is learnt
// anew.
func (k *busyKeeper) restore(d *motion.Detector) {
	err := k.dropMarked()
	var h habits
	if err == nil {
		h, err = readHabits(k.state)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var blocks []uint8
	if err == nil {
		blocks, err = h.blocks()
	}
	if cols, _, _, _ := d.Grid(); err == nil && cols != h.Cols {
		err = fmt.Errorf("it is of another picture: %d blocks wide, not %d", h.Cols, cols)
	}
	if err == nil {
		err = d.SetHabits(blocks)
	}
	if err != nil {
		k.log.Warn("where it is busy by habit is learnt anew", "code", "busy-map", "err", err)
	}
}

func (k *busyKeeper) live() bool { return k.camera.format().Live }

// dropMarked removes the map if it is to be forgotten; the mark goes last.
func (k *busyKeeper) dropMarked() error {
	if _, err := os.Lstat(busyMark(k.state)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return k.drop()
}

func (k *busyKeeper) drop() error {
	for _, path := range []string{busyFile(k.state), busyMark(k.state)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (k *busyKeeper) Run(ctx context.Context) error {
	look, save := time.NewTicker(busyLook), time.NewTicker(busySave)
	defer look.Stop()
	defer save.Stop()
	for {
		select {
		case <-look.C:
			if _, err := os.Lstat(busyMark(k.state)); err == nil {
				if err := k.forget(ctx); err != nil && ctx.Err() == nil { // tried again, until the mark is gone
					k.log.Warn("where it is busy by habit is not forgotten yet", "code", "busy-map", "err", err)
				}
			}
		case <-save.C:
			k.save(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// forget lets the detector forget, and removes what was kept. It may be called from any goroutine but the camera's.
func (k *busyKeeper) forget(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.camera.ask(ctx, (*motion.Detector).ResetBusy); err != nil {
		return err
	}
	k.log.Info("where it is busy by habit is forgotten", "code", "busy-forgotten")
	return k.drop()
}

func (k *busyKeeper) save(ctx context.Context) {
	if !k.live() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var h habits
	if err := k.camera.ask(ctx, func(d *motion.Detector) { h = learnt(d) }); err != nil {
		return // without frames nothing is learnt
	}
	k.write(h)
}

// last saves at the end, when no task runs and nobody else has the detector. A mark that is there by then the next start sees.
func (k *busyKeeper) last() {
	if d := k.camera.detector; d != nil && k.live() {
		k.write(learnt(d))
	}
}

// retire saves what a detector has learnt that ends, in the goroutine that it belongs to.
func (k *busyKeeper) retire(d *motion.Detector) {
	if k.live() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.write(learnt(d))
	}
}

func (k *busyKeeper) write(h habits) {
	text, err := json.Marshal(h)
	if err == nil {
		err = durable.Replace(busyFile(k.state), append(text, '\n'))
	}
	if err != nil && !k.failed {
		k.log.Warn("where it is busy by habit cannot be kept across a restart", "code", "busy-map", "err", err)
	}
	k.failed = err != nil
}
