// SPDX-License-Identifier: Apache-2.0

package ota

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/ota/state"
)

const every = 2 * time.Second // between two rounds of checks

// Begin asks the boot loader for a trial of the release that is Verified, and restarts the board; it returns only if that fails. What works
// now is remembered: it has to work in the trial, and what does not work now need not.
func (u *Updater) Begin(ctx context.Context) error {
	r := u.o.State.Record()
	if r.Phase != state.Verified {
		return fmt.Errorf("begin the trial: nothing is verified: the update is %s", r.Phase)
	}
	r.Had = nil
	for _, c := range u.o.Checks {
		if u.probe(ctx, c) == nil {
			r.Had = append(r.Had, c.Name)
		}
	}
	if had := strings.Join(r.Had, ","); len(had) > state.MaxHad {
		return fmt.Errorf("begin the trial: the names of the checks have %d bytes, at most %d: what is cut off could never pass", len(had), state.MaxHad)
	}
	// The intent before the flag: a flag without it would be taken back at the next start.
	r.Phase, r.Tries, r.Starts = state.Armed, 1, 0
	if err := u.save(r); err != nil {
		return fmt.Errorf("begin the trial: %w", err)
	}
	return u.arm(ctx)
}

// arm verifies the target once more, arms it and restarts.
func (u *Updater) arm(ctx context.Context) error {
	r := u.o.State.Record()
	if err := u.verify(ctx, r); err != nil {
		if errors.Is(err, ErrMedium) {
			return errors.Join(u.o.Slots.Disarm(), u.fail(r, err))
		}
		return err
	}
	if err := u.o.Slots.Arm(r.Target); err != nil {
		return fmt.Errorf("ask for the trial of slot %s: %w", r.Target, err)
	}
	u.o.Log.Info("restarting into a new firmware", "version", r.Version, "slot", r.Target, "try", r.Tries)
	return u.restart(u.o.Slots.RestartArgument())
}

// Trial checks whether the new firmware works, and makes it the default or restarts into the former one. It returns nil when it is the
// default, and an error when ctx ended (call it again: its time begins anew, which [state.MaxStarts] bounds) or the board did not restart.
func (u *Updater) Trial(ctx context.Context) error {
	r := u.o.State.Record()
	if r.Phase != state.Trial {
		return fmt.Errorf("trial: the update is %s", r.Phase)
	}
	why := u.gate(ctx, r.Had)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("trial of %s: %w", r.Version, err)
	}
	if why != nil {
		u.o.Log.Error("a new firmware does not work; going back", "version", r.Version, "reason", why)
		r.Phase, r.Starts, r.Reason = state.RollingBack, 1, why.Error()
		if err := u.save(r); err != nil {
			// The flag is spent: a restart leads to the former whether this is remembered or not.
			u.o.Log.Error("update", "error", err)
		}
		return u.restart("")
	}
	r.Phase = state.Committing
	if err := u.save(r); err != nil {
		return fmt.Errorf("trial of %s: %w", r.Version, err)
	}
	_, err := u.Settle(ctx)
	return err
}

// gate returns nil once all checks of these names have passed for the time to hold, or why not.
func (u *Updater) gate(ctx context.Context, had []string) error {
	ctx, cancel := context.WithTimeout(ctx, u.o.Patience)
	defer cancel()
	var since time.Time // when all began to pass
	why := errors.New("nothing was checked")
	for {
		if err := u.probeAll(ctx, had); err != nil {
			if ctx.Err() == nil || since.IsZero() {
				why = err
			}
			since = time.Time{}
		} else if since.IsZero() {
			since = time.Now()
		}
		u.show(func(s *Status) {
			s.Checking = ""
			if since.IsZero() {
				s.Checking = why.Error()
			}
		})
		if !since.IsZero() && time.Since(since) >= u.o.Hold {
			return nil
		}
		select {
		case <-ctx.Done():
			if !since.IsZero() {
				return fmt.Errorf("not steady for %s; before: %w", u.o.Hold, why)
			}
			return why
		case <-time.After(every):
		}
	}
}

func (u *Updater) probeAll(ctx context.Context, had []string) error {
	known := 0
	for _, c := range u.o.Checks {
		for _, name := range had {
			if c.Name != name {
				continue
			}
			known++
			if err := u.probe(ctx, c); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	if known < len(had) {
		// A firmware that no longer knows a check cannot say that it passes.
		return fmt.Errorf("of %s only %d are known to this firmware", strings.Join(had, ", "), known)
	}
	return nil
}

func (u *Updater) probe(ctx context.Context, c Check) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Probe(ctx)
}
