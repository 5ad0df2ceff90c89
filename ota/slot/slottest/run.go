// SPDX-License-Identifier: Apache-2.0

package slottest

import (
	"errors"
	"testing"

	"github.com/nightjar-cam/nightjar/ota/block/blocktest"
	"github.com/nightjar-cam/nightjar/ota/slot"
)

// Run tests a kind of boot loader and its back end.
func Run(t *testing.T, k Kind) {
	t.Run("trial", func(t *testing.T) { trial(t, k) })
	t.Run("in use", func(t *testing.T) { inUse(t, k) })
	t.Run("cuts", func(t *testing.T) { cuts(t, k) })
	t.Run("damage", func(t *testing.T) { damage(t, k) })
}

func always(slot.Slot) bool { return true }

// rig is a board, from the switch to what runs.
type rig struct {
	t *testing.T
	k Kind
	d *blocktest.Disk
	b Board
}

func newRig(t *testing.T, k Kind) *rig {
	t.Helper()
	d, err := k.Disk(0)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, k, d, k.On(d)}
}

// start starts the board and wants slot s to run.
func (r *rig) start(s slot.Slot) slot.Backend {
	r.t.Helper()
	got, err := r.b.Start(always)
	if err != nil || got != s {
		r.t.Fatalf("the board started slot %s, want %s (%v)", got, s, err)
	}
	back := r.b.Backend(got)
	if booted, err := back.Booted(); err != nil || booted != s {
		r.t.Fatalf("Booted says %s of slot %s (%v)", booted, s, err)
	}
	return back
}

// cold takes the power and gives it again.
func (r *rig) cold() {
	r.d.PowerLoss(func(int) bool { return true }, 0)
	r.b = r.k.On(r.d)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) sees(b slot.Backend, def slot.Slot, f slot.Flag) {
	r.t.Helper()
	d, err := b.Default()
	r.must(err)
	flag, err := b.Flag()
	r.must(err)
	if d != def || flag != f {
		r.t.Errorf("default %s and flag %s, want %s and %s", d, flag, def, f)
	}
}

// afterTrial is what is known of a trial that was begun.
func afterTrial(c slot.Caps) slot.Flag {
	if c.Volatile {
		return slot.None
	}
	return slot.Spent
}

// A trial is for one start, whoever ends it; only Commit keeps it. From both slots.
func trial(t *testing.T, k Kind) {
	r := newRig(t, k)
	from := slot.A
	for range 2 {
		to := from.Other()
		b := r.start(from)
		caps := b.Caps()
		if caps.Name == "" {
			t.Error("a boot loader without a name")
		}
		r.sees(b, from, slot.None)
		for range 2 {
			r.must(b.Arm(to))
			r.sees(b, from, slot.Set)
		}
		r.must(b.Disarm())
		r.sees(b, from, slot.None)
		r.b.Restart(b.RestartArgument())
		_ = r.start(from) // not armed: whatever the argument

		b = r.b.Backend(from)
		r.must(b.Arm(to))
		r.b.Restart(b.RestartArgument())
		b = r.start(to)
		r.sees(b, from, afterTrial(caps))
		b = r.start(from) // a crash of the trial
		r.sees(b, from, afterTrial(caps))
		r.must(b.Disarm())
		r.sees(b, from, slot.None)

		r.must(b.Arm(to))
		r.cold()
		if caps.Volatile {
			b = r.start(from)
			r.sees(b, from, slot.None)
			r.must(b.Arm(to))
			r.b.Restart(b.RestartArgument())
		}
		b = r.start(to)
		for range 2 {
			r.must(b.Commit(to))
			r.sees(b, to, slot.None)
		}
		r.cold()
		r.sees(r.start(to), to, slot.None)
		from = to
	}
}

// What runs, and what starts by default, is never written; a slot that does not run is never made the default.
func inUse(t *testing.T, k Kind) {
	r := newRig(t, k)
	b := r.start(slot.A)
	for _, part := range b.Parts() {
		if _, err := b.Open(slot.A, part); !errors.Is(err, slot.ErrInUse) {
			t.Errorf("opened %s of the slot that runs: %v", part, err)
		}
		d, err := b.Open(slot.B, part)
		r.must(err)
		if _, err := d.WriteAt(make([]byte, 512), 0); err != nil {
			t.Error(err)
		}
		r.must(d.Close())
		d, err = b.Read(slot.A, part)
		r.must(err)
		if _, err := d.WriteAt(make([]byte, 512), 0); err == nil {
			t.Errorf("wrote into %s that was opened for reading", part)
		}
		r.must(d.Close())
	}
	if _, err := b.Open(slot.B, "nonsense"); err == nil {
		t.Error("opened a part that there is not")
	}
	if err := b.Commit(slot.B); !errors.Is(err, slot.ErrInUse) {
		t.Errorf("committed a slot that does not run: %v", err)
	}
	if err := b.Arm(slot.A); !errors.Is(err, slot.ErrInUse) {
		t.Errorf("armed the default: %v", err)
	}
	r.must(b.Arm(slot.B))
	r.b.Restart(b.RestartArgument())
	b = r.start(slot.B)
	for _, s := range []slot.Slot{slot.A, slot.B} {
		if _, err := b.Open(s, b.Parts()[0]); !errors.Is(err, slot.ErrInUse) {
			t.Errorf("in a trial, opened slot %s for writing: %v", s, err)
		}
	}
}

// Cut at any sector, an Arm or a Commit has happened or not, and the board starts.
func cuts(t *testing.T, k Kind) {
	states := 0
	for _, op := range []string{"arm", "disarm", "commit"} {
		for at := 0; ; at++ {
			base := newRig(t, k)
			b := base.start(slot.A)
			if op != "arm" {
				base.must(b.Arm(slot.B))
			}
			if op == "commit" {
				base.b.Restart(b.RestartArgument())
				b = base.start(slot.B)
			}
			base.d.CutAfter(at)
			err := map[string]func() error{"arm": func() error { return b.Arm(slot.B) }, "disarm": b.Disarm, "commit": func() error { return b.Commit(slot.B) }}[op]()
			pending := base.d.Pending()
			if len(pending) > 12 {
				t.Fatalf("%s has %d sectors in one epoch", op, len(pending))
			}
			for keep := range 1 << len(pending) {
				for _, torn := range []int{0, 1, 100, 511} {
					r := &rig{t: t, k: k, d: base.d.Clone()}
					r.d.PowerLoss(func(i int) bool { return keep>>i&1 == 1 }, torn)
					r.b = k.On(r.d)
					states++
					s, err := r.b.Start(always)
					if err != nil {
						t.Fatalf("%s cut after %d sectors, %b kept, torn %d: %v", op, at, keep, torn, err)
					}
					after := r.b.Backend(s)
					if _, err := after.Default(); err != nil {
						t.Fatalf("%s cut after %d sectors, %b kept, torn %d: %v", op, at, keep, torn, err)
					}
					// And it can be done again.
					r.must(after.Commit(s))
					r.must(after.Arm(s.Other()))
					r.b.Restart(after.RestartArgument())
					r.must(r.start(s.Other()).Commit(s.Other()))
				}
			}
			if err == nil {
				break // at is behind the last sector
			}
		}
	}
	t.Logf("%s: %d states", k.Name, states)
}

// A bit that flips on the card stops no board, but where the kind says so.
func damage(t *testing.T, k Kind) {
	base := newRig(t, k)
	b := base.start(slot.A)
	base.must(b.Arm(slot.B))
	base.must(b.Disarm())
	base.cold()
	for off := range k.Size {
		if k.Fragile != nil && k.Fragile(off) {
			continue
		}
		r := &rig{t: t, k: k, d: base.d.Clone()}
		r.d.Flip(off, uint(off))
		r.b = k.On(r.d)
		s, err := r.b.Start(always)
		if err != nil {
			t.Fatalf("a bit at %d flipped: %v", off, err)
		}
		b := r.b.Backend(s)
		r.must(b.Commit(s)) // and it heals
		r.must(b.Arm(s.Other()))
		r.b.Restart(b.RestartArgument())
		r.must(r.start(s.Other()).Commit(s.Other()))
	}
}
