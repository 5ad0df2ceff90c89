// SPDX-License-Identifier: Apache-2.0

package ota

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nightjar-cam/nightjar/ota/block"
	"github.com/nightjar-cam/nightjar/ota/block/blocktest"
	"github.com/nightjar-cam/nightjar/ota/slot"
	"github.com/nightjar-cam/nightjar/ota/slot/slottest"
	"github.com/nightjar-cam/nightjar/ota/state"
)

// memImage is a release in memory.
type memImage struct {
	rel    Release
	parts  []Part
	chunks []Chunk
	data   [][]byte
	reads  int64
	fail   error // of the next reads
}

const chunkSize = 1 << 10

// newImage returns an image that fills both parts of a test's slot.
func newImage(version string, counter uint64) *memImage {
	m := &memImage{rel: Release{Version: version, Counter: counter, Image: sha256.Sum256([]byte(version))}}
	for i, size := range []int{slottest.BootSize, slottest.RootSize - 512} {
		m.parts = append(m.parts, Part{[]string{"boot", "root"}[i], int64(size)})
		for off := 0; off < size; off += chunkSize {
			b := make([]byte, min(chunkSize, size-off))
			for j := range b {
				h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", version, i, (off+j)/32))
				b[j] = h[(off+j)%32]
			}
			m.chunks = append(m.chunks, Chunk{i, int64(off), len(b), sha256.Sum256(b)})
			m.data = append(m.data, b)
		}
	}
	return m
}

func (m *memImage) Release() Release  { return m.rel }
func (m *memImage) Parts() []Part     { return m.parts }
func (m *memImage) Len() int          { return len(m.chunks) }
func (m *memImage) Chunk(i int) Chunk { return m.chunks[i] }
func (m *memImage) Read(ctx context.Context, i int, dst []byte) error {
	if m.fail != nil {
		return m.fail
	}
	atomic.AddInt64(&m.reads, 1)
	copy(dst, m.data[i])
	return ctx.Err()
}

// bytes is what a slot begins with, for each part, when the image is in it.
func (m *memImage) in(d *blocktest.Disk, s slot.Slot) bool {
	at := slottest.Slots(d).At(s)
	root := at + slottest.BootSize
	for i, c := range m.chunks {
		from := []int64{at, root}[c.Part] + c.Off
		b := make([]byte, c.Len)
		if _, err := d.ReadAt(b, from); err != nil || !bytes.Equal(b, m.data[i]) {
			return false
		}
	}
	return true
}

// What the test's firmware does.
type kind uint8

const (
	works  kind = iota
	panics      // never reaches the updater
	blind       // reaches it, and has no picture
)

// board is a board with a firmware in slot A, for one life of cuts and restarts.
type board struct {
	k        slottest.Kind
	d        *blocktest.Disk
	b        slottest.Board
	firmware []*memImage // that may lie in a slot
	is       map[*memImage]kind
	boots    int
	attempts int // errors that the agent went on after, in this start
}

var (
	oldImage   = newImage("1.0.0", 1)
	newerImage = newImage("1.1.0", 2)
	thirdImage = newImage("1.2.0", 3)
)

func newBoard(k slottest.Kind) (*board, error) {
	d, err := k.Disk(state.Size)
	if err != nil {
		return nil, err
	}
	b := &board{k: k, d: d, b: k.On(d), firmware: []*memImage{oldImage, newerImage, thirdImage}, is: map[*memImage]kind{}}
	for i, c := range oldImage.chunks {
		part, err := slottest.Slots(d).Open(slot.A, oldImage.parts[c.Part].Name, true)
		if err != nil {
			return nil, err
		}
		if _, err := part.WriteAt(oldImage.data[i], c.Off); err != nil {
			return nil, err
		}
	}
	return b, d.Sync()
}

// after is the board on a disk that lost its power, when it has it again.
func (b *board) after(d *blocktest.Disk) *board {
	return &board{k: b.k, d: d, b: b.k.On(d), firmware: b.firmware, is: b.is}
}

// holds returns the image that is in a slot, nil for none.
func (b *board) holds(s slot.Slot) *memImage {
	for _, m := range b.firmware {
		if m.in(b.d, s) {
			return m
		}
	}
	return nil
}

// The ways in which a life ends badly.
var (
	errBrick      = errors.New("BRICK")
	errUnverified = errors.New("UNVERIFIED BYTES WERE STARTED")
	errLivelock   = errors.New("LIVELOCK")
	errAgain      = errors.New("restarted")
)

const maxBoots = 12

// live is the life of the board until it has settled and wants nothing any more: each start, and in it the updater as the agent drives
// it. It returns the image that runs. ErrCut means that the power was cut.
func (b *board) live(want *memImage) (*memImage, error) {
	for {
		if b.boots++; b.boots > maxBoots {
			return nil, errLivelock
		}
		s, err := b.b.Start(func(s slot.Slot) bool { return b.holds(s) != nil })
		if b.cut() {
			return nil, blocktest.ErrCut
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBrick, err)
		}
		runs := b.holds(s)
		if runs == nil {
			return nil, fmt.Errorf("slot %s: %w", s, errUnverified)
		}
		if b.is[runs] == panics {
			continue
		}
		b.attempts = 0
		err = b.agent(s, runs, want)
		if b.cut() {
			return nil, blocktest.ErrCut
		}
		if !errors.Is(err, errAgain) {
			return runs, err
		}
	}
}

func (b *board) cut() bool {
	_, err := b.d.ReadAt(make([]byte, 1), 0)
	return errors.Is(err, blocktest.ErrCut)
}

// agent is the updater in a start of the board, and what drives it.
func (b *board) agent(s slot.Slot, runs, want *memImage) error {
	for {
		u, err := b.updater(s, runs)
		if err == nil {
			err = b.drive(u, want)
		}
		if err == nil || errors.Is(err, errAgain) || b.cut() {
			return err
		}
		// A card that fails: the agent goes on, and asks again later; and one day the power is cut.
		if b.attempts++; b.attempts > 3 {
			return err
		}
	}
}

func (b *board) updater(s slot.Slot, runs *memImage) (*Updater, error) {
	area, err := block.Part(b.d, b.k.Size, state.Size)
	if err != nil {
		return nil, err
	}
	st, err := state.Open(area)
	if err != nil {
		return nil, err
	}
	return New(Options{
		Slots: b.b.Backend(s), State: st,
		Checks: []Check{{"frames", func(context.Context) error {
			if b.is[runs] == blind {
				return errors.New("no frame")
			}
			return nil
		}}, {"hub", func(context.Context) error { return errors.New("no cable") }}},
		Restart: func(arg string) error {
			b.b.Restart(arg)
			return errAgain
		},
	}), nil
}

func (b *board) drive(u *Updater, want *memImage) error {
	ctx := context.Background()
	do, err := u.Settle(ctx)
	if err != nil {
		return err
	}
	if do == state.Gate {
		if err := u.Trial(ctx); err != nil {
			return err
		}
	}
	if want == nil {
		return nil
	}
	r := u.Status()
	if r.Phase.Settled() && r.Image == want.rel.Image || r.Counter > want.rel.Counter {
		return nil // it is installed, or has failed: the hub does not assign it again by itself
	}
	if err := u.Install(ctx, want); err != nil {
		return err
	}
	return u.Begin(ctx)
}
