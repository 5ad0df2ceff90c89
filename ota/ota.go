// SPDX-License-Identifier: Apache-2.0

// Package ota updates the firmware of a board in two slots, so that a power cut at any write ends in the former firmware or in the new
// one, verified, and a new one stays only if it works as well as the one before. Start with [New]; then, at each start of the agent,
// [Updater.Settle], which says what comes next: [Updater.Trial] on a firmware that is new, [Updater.Install] for a release, and
// [Updater.Begin] when the board may restart into it.
//
// Package state is what it remembers, slot what it asks the boot loader. Where a release comes from, why it is believed and how its bytes
// travel is not its affair: an [Image] is one whose signatures were verified.
package ota

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/ota/slot"
	"github.com/nightjar-cam/nightjar/ota/state"
)

// Release is what an image is.
type Release struct {
	Image   [32]byte // SHA-256 of the bundle's index: what was signed
	Version string   // for people
	Counter uint64   // rises with each release
}

// Part is a piece of an image, for the slot's piece of the same name.
type Part struct {
	Name string
	Size int64 // bytes
}

// Chunk is a piece of a part. All chunks, in order, are all bytes of the parts, in order.
type Chunk struct {
	Part int   // index
	Off  int64 // in the part
	Len  int   // at most [MaxChunk]
	Sum  [32]byte
}

// MaxChunk bounds a chunk, and with it the memory of an update.
const MaxChunk = 256 << 10

// Image is a release that may be installed: its signatures are verified, and it is for this board.
type Image interface {
	Release() Release
	Parts() []Part
	Len() int
	Chunk(i int) Chunk
	// Read puts the bytes of chunk i, which hash to its Sum, into dst, which has its length; else it returns an error.
	Read(ctx context.Context, i int, dst []byte) error
}

// Check is one thing that a working camera does. Probe returns why it does not; it must return when ctx ends.
type Check struct {
	Name  string // short, without a comma: "frames"
	Probe func(ctx context.Context) error
}

// Options are what an [Updater] needs.
type Options struct {
	Slots  slot.Backend
	State  *state.Store
	Checks []Check
	// Restart restarts the board with an argument for the kernel, or none. It returns only if it failed.
	Restart func(arg string) error
	// Patience is how long a trial may take until all checks have passed, and Hold how long all of them have to pass without a break.
	// Zero means 5 minutes and 30 seconds.
	Patience, Hold time.Duration
	Log            *slog.Logger // nil for none
	// Progress, if not nil, is called during an installation with bytes that are in place, and all.
	Progress func(done, all int64)
}

// Errors of an update.
var (
	ErrUnderWay = errors.New("an update is under way")
	ErrOlder    = errors.New("the release is older than what was installed before")
	ErrShape    = errors.New("the image does not fit this board")
	ErrMedium   = errors.New("the slot does not keep what is written: the card is worn out or counterfeit")
	ErrRestart  = errors.New("the board did not restart")
)

// Updater is a board's updates. Settle, Install, Begin and Trial are called by one goroutine; Status by any.
type Updater struct {
	o Options

	mu     sync.Mutex
	status Status
}

// Status is how far an update is, for people and for the hub.
type Status struct {
	state.Record
	Seen     state.Seen
	Done     int64  // bytes in place
	All      int64  // bytes
	Checking string // in a trial: the check that does not pass, and why
}

// New returns an updater; it has touched nothing yet.
func New(o Options) *Updater {
	if o.Patience == 0 {
		o.Patience = 5 * time.Minute
	}
	if o.Hold == 0 {
		o.Hold = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	u := &Updater{o: o}
	u.status.Record = o.State.Record()
	return u
}

// Status returns a copy.
func (u *Updater) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status
}

func (u *Updater) show(f func(s *Status)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.status)
}

func (u *Updater) save(r state.Record) error {
	if err := u.o.State.Save(r); err != nil {
		return err
	}
	u.show(func(s *Status) { s.Record = u.o.State.Record() })
	return nil
}

func (u *Updater) look() (state.Seen, error) {
	var seen state.Seen
	var errs [3]error
	seen.Booted, errs[0] = u.o.Slots.Booted()
	seen.Default, errs[1] = u.o.Slots.Default()
	seen.Flag, errs[2] = u.o.Slots.Flag()
	if err := errors.Join(errs[:]...); err != nil {
		return seen, fmt.Errorf("ask the boot loader: %w", err)
	}
	u.show(func(s *Status) { s.Seen = seen })
	return seen, nil
}

// Settle brings what is remembered and what the boot loader did together, as often as a step leads to another, and returns what is to
// be done next: Nothing, Resume (Install the same release again, or another), Try (Begin), or Gate (Trial). It may restart the board.
func (u *Updater) Settle(ctx context.Context) (state.Action, error) {
	for {
		seen, err := u.look()
		if err != nil {
			return state.Nothing, err
		}
		was := u.o.State.Record()
		next, disarm, do := state.Reconcile(was, seen)
		if disarm {
			if err := u.o.Slots.Disarm(); err != nil {
				return state.Nothing, fmt.Errorf("take back the trial: %w", err)
			}
		}
		if changed(was, next) {
			u.o.Log.Info("update", "phase", next.Phase, "was", was.Phase, "slot", next.Target, "version", next.Version, "tries", next.Tries, "reason", next.Reason)
			if err := u.save(next); err != nil {
				return state.Nothing, err
			}
		}
		switch do {
		case state.Rearm:
			return state.Nothing, u.arm(ctx)
		case state.Restart:
			return state.Nothing, u.restart("")
		case state.Commit:
			if err := u.o.Slots.Commit(next.Target); err != nil {
				return state.Nothing, fmt.Errorf("make slot %s the default: %w", next.Target, err)
			}
		default:
			return do, nil
		}
	}
}

func changed(a, b state.Record) bool {
	a.Seq, b.Seq = 0, 0
	return string(a.Encode()) != string(b.Encode())
}

func (u *Updater) restart(arg string) error {
	if err := u.o.Restart(arg); err != nil {
		return fmt.Errorf("%w: %w", ErrRestart, err)
	}
	return ErrRestart
}

// fail ends an update that has not been tried.
func (u *Updater) fail(r state.Record, why error) error {
	r.Phase, r.Reason = state.Failed, why.Error()
	return errors.Join(why, u.save(r))
}
