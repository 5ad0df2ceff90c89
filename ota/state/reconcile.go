// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"

	"github.com/nightjar-cam/nightjar/ota/slot"
)

// Seen is what a boot loader says, each time that the updater starts. It is the only truth about what runs; a record is what was meant.
type Seen struct {
	Booted, Default slot.Slot
	Flag            slot.Flag
}

// Action is what has to be done, once the record that came with it is saved. All of them may be repeated.
type Action uint8

// The actions.
const (
	Nothing Action = iota // wait for a new release
	Resume                // go on fetching
	Try                   // the target is verified: arm it when the time is right
	Rearm                 // verify the target once more, ask for the trial, and restart
	Gate                  // the target runs: check whether it works
	Commit                // make the target the default, and reconcile again
	Restart               // restart the board, for nothing but the default slot
)

var actionNames = [...]string{"nothing", "resume", "try", "re-arm", "gate", "commit", "restart"}

// String returns the action's name.
func (a Action) String() string { return actionNames[int(a)%len(actionNames)] }

// Bounds of what is repeated.
const (
	MaxTries  = 4 // trials asked for: the first, and three more after cuts of the power
	MaxStarts = 3 // starts of the updater in one trial, and restarts that were to leave it
)

// Reconcile says what is to be remembered next, whether the boot loader's flag has to be taken back first, and what has to be done. It is
// total: any record with anything seen has an answer, and following the answers ends in a settled phase. Nothing that is the default
// is ever left for the former, and nothing that runs or is the default is ever written.
//
// A trial that was spent, or begun and not finished, has failed. A boot loader whose flag is volatile cannot say so before the target
// has run the updater: with it a firmware that never comes up is tried [MaxTries] times.
func Reconcile(r Record, s Seen) (next Record, disarm bool, do Action) {
	disarm = s.Flag != slot.None
	runs, def := s.Booted == r.Target, s.Default == r.Target
	fail := func(format string, args ...any) (Record, bool, Action) {
		r.Phase = Failed
		if r.Reason == "" {
			r.Reason = fmt.Sprintf(format, args...)
		}
		return r, disarm, Nothing
	}
	committed := func() (Record, bool, Action) {
		r.Phase, r.Reason, r.Floor = Committed, "", max(r.Floor, r.Counter)
		return r, disarm, Nothing
	}
	again := func() (Record, bool, Action) {
		if r.Tries >= MaxTries {
			return fail("it was tried %d times and did not come up", r.Tries)
		}
		r.Phase = Armed
		r.Tries++
		return r, false, Rearm
	}

	switch r.Phase {
	case Fetching:
		if runs || def {
			return fail("slot %s was started while it was being written", r.Target)
		}
		return r, disarm, Resume
	case Verified:
		if runs || def {
			return fail("slot %s was started before its trial", r.Target)
		}
		return r, disarm, Try
	case Armed:
		switch {
		case runs && def:
			return committed() // by somebody else: it is the default, and nothing leaves a default
		case runs:
			r.Phase, r.Starts = Trial, 1
			return r, false, Gate
		case def:
			return fail("slot %s was made the default before its trial, and does not start", r.Target)
		case s.Flag == slot.Spent:
			return fail("it was started, and did not come up")
		}
		return again()
	case Trial:
		switch {
		case runs && def:
			return committed()
		case def:
			return fail("slot %s was made the default in its trial, and does not start", r.Target)
		case !runs:
			return fail("the board restarted during the trial")
		case r.Starts >= MaxStarts:
			r.Phase, r.Starts = RollingBack, 1
			r.Reason = fmt.Sprintf("the agent ended %d times during the trial", MaxStarts)
			return r, disarm, Restart
		}
		r.Starts++
		return r, false, Gate
	case Committing:
		switch {
		case def:
			return committed()
		case runs:
			return r, false, Commit
		}
		return again() // the power was cut before the boot loader knew
	case RollingBack:
		switch {
		case runs && def:
			return committed()
		case !runs:
			return fail("it did not work")
		case r.Starts >= MaxStarts:
			// The former does not load, and the boot loader falls back to the target. It runs, as bad as it is.
			r.Reason = cut("the former firmware does not start any more; this one did not pass: "+r.Reason, MaxReason)
			return fail("")
		}
		r.Starts++
		return r, disarm, Restart
	}
	return r, disarm, Nothing // Idle, Committed, Failed: what is started by hand, or as a fall-back, is shown and left alone
}

func cut(s string, n int) string { return s[:min(len(s), n)] }
