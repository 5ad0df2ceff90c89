// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/cmd/internal/task"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
)

func resetCommand() cli.Command {
	var state string
	var yes, offline bool
	return cli.Command{
		Name:  "factory-reset",
		Usage: "nightjar factory-reset --yes [--offline] [--state DIR]",
		Short: "Destroy this camera's keys, clips and settings",
		Long: `Takes leave of the hub, if that answers within some seconds: it lets nobody in by this camera's name any more. Then
destroys the keys first: from then on this is no camera of any hub, and what it signs is nobody's. Then go the clips
that the hub does not have, and what was set from afar. Stop the agent before. A reset that is cut off, by a loss
of power too, is completed by the next one, or when the agent is started. Clips that are at the hub stay there, and
open with the owner's key. Flash cards may keep old copies of what was overwritten: destroy the card of a camera
whose keys must be gone for certain.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
			f.BoolVar(&yes, "yes", false, "yes, destroy them")
			f.BoolVar(&offline, "offline", false, "do not ask for the hub: revoke the camera there")
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			if !yes {
				return cli.Usagef("this destroys keys and clips for good: say --yes")
			}
			e := &eraser{state: state}
			if !offline {
				e.leave = func() {
					if err := takeLeave(ctx, state); err != nil {
						fmt.Fprintf(env.Stderr, "the hub does not know of it, so revoke the camera there: %v\n", err)
					}
				}
			}
			if err := e.run(); err != nil {
				return err
			}
			_, err := fmt.Fprintln(env.Stdout, "this camera is nobody's now: `nightjar enroll` makes it somebody's again")
			return err
		},
	}
}

func resetMark(state string) string { return filepath.Join(state, "resetting") }

// resetting tells whether a reset was begun and is not complete. What cannot be known counts as yes: the agent must not run on
// half of a camera.
func resetting(state string) bool {
	_, err := os.Lstat(resetMark(state))
	return !errors.Is(err, fs.ErrNotExist)
}

// completeReset does what was begun by a command, or was cut off. The agent runs no tasks meanwhile.
func completeReset(ctx context.Context, state string, log *slog.Logger) error {
	log.Warn("this camera is reset to the factory's state", "code", "factory-reset")
	err := (&eraser{state: state, leave: func() {
		if err := takeLeave(context.WithoutCancel(ctx), state); err != nil { // who stops the agent now does not stop the reset
			log.Warn("the hub does not know that this camera is reset: revoke it there", "code", "factory-reset", "err", err)
		}
	}}).run()
	if err == nil {
		log.Warn("this camera is nobody's now", "code", "factory-reset")
	}
	return err
}

// leaveWithin bounds how long the hub is waited for: a reset has to go on without it.
const leaveWithin = 5 * time.Second

// takeLeave tells the hub, if there are keys yet to prove it with.
func takeLeave(ctx context.Context, state string) error {
	if _, err := os.Stat(keysDir(state)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	store, err := openKeys(state)
	if err != nil {
		return err
	}
	c, err := store.Credential()
	if errors.Is(err, keys.ErrNotEnrolled) {
		return nil
	}
	if err != nil {
		return err
	}
	identity, err := store.Identity()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	return enroll.Release(ctx, c, identity)
}

// A resetter is the task that ends the agent when it is told to reset the camera. What is to be done stands on the disk before the
// command is answered, and is done when all tasks have ended.
type resetter struct {
	state string
	begun chan struct{} // has room for one
	ready chan struct{}
}

func newResetter(state string) *resetter {
	r := &resetter{state, make(chan struct{}, 1), make(chan struct{})}
	close(r.ready)
	return r
}

func (r *resetter) String() string         { return "reset" }
func (r *resetter) Ready() <-chan struct{} { return r.ready }

// begin is called by the command.
func (r *resetter) begin() error {
	if err := (&eraser{state: r.state}).mark(); err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	select {
	case r.begun <- struct{}{}:
	default:
	}
	return nil
}

func (r *resetter) Run(ctx context.Context) error {
	select {
	case <-r.begun:
	case <-ctx.Done():
		return nil
	}
	timer := time.NewTimer(beforeStop) // the answer has to get out
	defer timer.Stop()
	select {
	case <-timer.C:
		return task.ErrStop
	case <-ctx.Done():
		return nil
	}
}

// An eraser does a factory reset. Each step is durable before the next, and may be done again.
type eraser struct {
	state string
	leave func()       // tells the hub; nil for nobody to tell
	cut   func() error // a test's: called before each change of the disk; its error is a loss of power
}

func (e *eraser) run() error {
	if info, err := os.Stat(e.state); err != nil || !info.IsDir() {
		return fmt.Errorf("factory reset: there is no folder %s", e.state)
	}
	lock, err := lockSpool(spoolDir(e.state))
	if err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	defer lock.Close()
	for _, step := range []func() error{
		e.mark,
		func() error {
			if e.leave != nil {
				e.leave()
			}
			return nil
		},
		e.eraseKeys,
		func() error { return e.remove(spoolDir(e.state)) },
		func() error { return e.remove(filepath.Join(e.state, "remote.yml")) },
		func() error { return e.remove(commandsFile(e.state)) },
		func() error { return e.remove(busyFile(e.state)) },
		func() error { return e.remove(busyMark(e.state)) },
		func() error { return e.remove(livesFile(e.state)) },
		func() error { return e.remove(privacyFile(e.state)) },
		func() error { return e.remove(privacyWishFile(e.state)) },
		func() error { return e.remove(resetMark(e.state)) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("factory reset: %w", err)
		}
	}
	return nil
}

// mark says on the disk that the camera is being reset.
func (e *eraser) mark() error {
	return e.change(func() error { return os.WriteFile(resetMark(e.state), nil, 0o600) }, e.state)
}

// lockSpool takes the spool, so that no agent runs meanwhile. Without a spool there is none.
func lockSpool(dir string) (*os.File, error) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // Close of a nil file is an error that nobody asks for
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("the agent runs: stop it first"), f.Close())
	}
	return f, nil
}

// eraseKeys overwrites every file of the key store before any is removed: the names alone are worth nothing.
func (e *eraser) eraseKeys() error {
	dir := keysDir(e.state)
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		if !file.Type().IsRegular() {
			continue
		}
		if err := e.change(func() error { return overwrite(filepath.Join(dir, file.Name())) }, ""); err != nil {
			return err
		}
	}
	return e.remove(dir)
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, info.Size()))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func (e *eraser) remove(path string) error {
	return e.change(func() error { return os.RemoveAll(path) }, filepath.Dir(path))
}

// change changes the disk, and makes that durable in the folder.
func (e *eraser) change(do func() error, dir string) error {
	if e.cut != nil {
		if err := e.cut(); err != nil {
			return err
		}
	}
	if err := do(); err != nil || dir == "" {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
