// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"testing"

	"github.com/nightjar-cam/nightjar/ota/internal/row"
	"github.com/nightjar-cam/nightjar/ota/slot"
)

// combination is a record, and what the boot loader says.
type combination struct {
	r Record
	s Seen
}

// combinations are all of them, as far as a decision depends on them.
func combinations() (all []combination) {
	for phase := range phases {
		for target := range slot.Slot(2) {
			for tries := range uint8(MaxTries + 2) {
				for starts := range uint8(MaxStarts + 2) {
					for booted := range slot.Slot(2) {
						for def := range slot.Slot(2) {
							for flag := range slot.Flag(3) {
								all = append(all, combination{
									Record{Phase: phase, Target: target, Tries: tries, Starts: starts, Counter: 5, Floor: 4},
									Seen{booted, def, flag}})
							}
						}
					}
				}
			}
		}
	}
	return all
}

// world is a boot loader, and slots that load or do not, that work or do not.
type world struct {
	Seen
	durable, fallback bool
	loads             [2]bool
	runs              [2]bool // reaches the updater
	works             [2]bool // passes the gate
	ignores           bool    // a boot loader that does not know the flag
}

// restart starts the board until something runs the updater; false for a brick.
func (w *world) restart(cold bool) bool {
	for range 8 {
		s := w.Default
		if w.Flag == slot.Set && !w.ignores {
			if w.durable {
				s, w.Flag = s.Other(), slot.Spent
			} else {
				if !cold {
					s = s.Other()
				}
				w.Flag = slot.None
			}
		}
		if !w.loads[s] {
			if !w.fallback {
				if s == w.Default {
					return false
				}
				cold = false // a watchdog ends the trial
				continue
			}
			if s = s.Other(); !w.loads[s] {
				return false
			}
		}
		w.Booted = s
		if w.runs[s] {
			return true
		}
		cold = false // it panics, and restarts
	}
	return false
}

// From any record, with anything seen, in any world, following the answers ends: settled or fetching, within few restarts, and what was the
// default is still, unless the target has passed the gate.
func TestReconcileEnds(t *testing.T) {
	cases, restartsMax := 0, 0
	for _, c := range combinations() {
		for mask := range 1 << 7 {
			bit := func(i int) bool { return mask>>i&1 == 1 }
			old := c.s.Default
			w := world{Seen: c.s, durable: bit(0), fallback: bit(1), ignores: bit(2)}
			w.loads[old], w.runs[old], w.works[old] = true, true, true
			now := old.Other()
			w.loads[now], w.runs[now], w.works[now] = bit(3), bit(4), bit(5)
			if bit(6) {
				w.loads[old] = false // the former is damaged
			}
			if w.Booted == now && !(w.loads[now] && w.runs[now]) || w.Booted == old && !w.loads[old] {
				continue // it runs, so it loads
			}
			cases++
			r, s := c.r, &w
			restarts, steps := 0, 0
			committed := false
			for {
				if steps++; steps > 60 {
					t.Fatalf("%+v %+v: no end", c, w)
				}
				next, disarm, do := Reconcile(r, s.Seen)
				again, _, same := Reconcile(next, s.Seen)
				if do == Nothing && (again.Phase != next.Phase || same != Nothing) {
					t.Fatalf("%+v %+v: settled as %s, and then %s", c, w, next.Phase, again.Phase)
				}
				if disarm {
					s.Flag = slot.None
				}
				if r.Phase == Committed && next.Phase != Committed || r.Phase == Failed && next.Phase != Failed {
					t.Fatalf("%+v: left %s", c, r.Phase)
				}
				r = next
				switch do {
				case Gate:
					if s.Booted != r.Target {
						t.Fatalf("%+v: a trial of slot %s in slot %s", c, r.Target, s.Booted)
					}
					if s.works[s.Booted] {
						r.Phase = Committing
					} else {
						r.Phase, r.Starts, r.Reason = RollingBack, 1, "bad"
						restarts++
						if !s.restart(false) {
							if !s.loads[old] {
								goto next // nobody can start what is not there
							}
							t.Fatalf("%+v %+v: a brick", c, w)
						}
					}
					continue
				case Rearm, Restart:
					if do == Rearm {
						if r.Target == s.Default || r.Target == s.Booted {
							t.Fatalf("%+v: armed slot %s", c, r.Target)
						}
						s.Flag = slot.Set
					}
					restarts++
					if !s.restart(false) {
						if !s.loads[old] {
							goto next
						}
						t.Fatalf("%+v %+v: a brick", c, w)
					}
					continue
				case Commit:
					if s.Booted != r.Target || c.r.Phase != Committing && !s.works[r.Target] {
						t.Fatalf("%+v %+v: committed slot %s", c, w, r.Target)
					}
					s.Default, s.Flag, committed = s.Booted, slot.None, true
					continue
				case Resume, Try:
					if r.Target == s.Booted || r.Target == s.Default {
						t.Fatalf("%+v: writes slot %s, which is in use", c, r.Target)
					}
				case Nothing:
					if !r.Phase.Settled() {
						t.Fatalf("%+v: nothing to do in %s", c, r.Phase)
					}
				}
				break
			}
			if s.Default != old && !committed {
				t.Fatalf("%+v: the default changed", c)
			}
			if r.Phase == Failed && r.Reason == "" && c.r.Phase != Failed {
				t.Fatalf("%+v: failed without a reason", c)
			}
			restartsMax = max(restartsMax, restarts)
		next:
		}
	}
	if restartsMax > MaxTries+MaxStarts+1 {
		t.Errorf("up to %d restarts", restartsMax)
	}
	row.Print(t, "reconcile: records and boot loaders", fmt.Sprintf("%d combinations, all end, at most %d restarts", cases, restartsMax), "every combination, no livelock, no brick", cases > 100_000)
}

// Words that an owner reads.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		r    Record
		s    Seen
		want string
	}{
		{Record{Phase: Armed, Target: slot.B, Tries: 1}, Seen{slot.A, slot.A, slot.Spent}, "it was started, and did not come up"},
		{Record{Phase: Armed, Target: slot.B, Tries: MaxTries}, Seen{slot.A, slot.A, slot.None}, "it was tried 4 times and did not come up"},
		{Record{Phase: Trial, Target: slot.B, Tries: 1}, Seen{slot.A, slot.A, slot.Spent}, "the board restarted during the trial"},
		{Record{Phase: RollingBack, Target: slot.B, Reason: "frames: none"}, Seen{slot.A, slot.A, slot.Spent}, "frames: none"},
		{Record{Phase: Fetching, Target: slot.B}, Seen{slot.B, slot.A, slot.None}, "slot b was started while it was being written"},
	} {
		if next, _, _ := Reconcile(c.r, c.s); next.Phase != Failed || next.Reason != c.want {
			t.Errorf("%s: %s, %q; want %q", c.r.Phase, next.Phase, next.Reason, c.want)
		}
	}
}
