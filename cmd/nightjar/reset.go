// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
)

func resetCommand() cli.Command {
	var state string
	var yes bool
	return cli.Command{
		Name:  "factory-reset",
		Usage: "nightjar factory-reset --yes [--state DIR]",
		Short: "Destroy this camera's keys, clips and settings",
		Long: `Destroys the keys first: from then on this is no camera of any hub, and what it signs is nobody's. Then go the clips
that the hub does not have, and what was set from afar. Stop the agent before. A reset that is cut off, by a loss
of power too, is completed by the next one; until then the agent does not run. At the hub, revoke the camera.
Clips that are at the hub stay there, and open with the owner's key. Flash cards may keep old copies of what was
overwritten: destroy the card of a camera whose keys must be gone for certain.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
			f.BoolVar(&yes, "yes", false, "yes, destroy them")
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if !yes {
				return cli.Usagef("this destroys keys and clips for good: say --yes")
			}
			if err := (&eraser{state: state}).run(); err != nil {
				return err
			}
			_, err := fmt.Fprintln(env.Stdout, "this camera is nobody's now: `nightjar enroll` makes it somebody's again")
			return err
		},
	}
}

// errResetting keeps the agent from running on half of a camera.
var errResetting = errors.New("a factory reset was cut off: complete it with `nightjar factory-reset --yes`")

func resetMark(state string) string { return filepath.Join(state, "resetting") }

// resetting returns an error while a reset is not complete.
func resetting(state string) error {
	if _, err := os.Lstat(resetMark(state)); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errResetting, err)
	}
	return nil
}

// An eraser does a factory reset. Each step is durable before the next, and may be done again.
type eraser struct {
	state string
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
		func() error {
			return e.change(func() error { return os.WriteFile(resetMark(e.state), nil, 0o600) }, e.state)
		},
		e.eraseKeys,
		func() error { return e.remove(spoolDir(e.state)) },
		func() error { return e.remove(filepath.Join(e.state, "remote.yml")) },
		func() error { return e.remove(commandsFile(e.state)) },
		func() error { return e.remove(resetMark(e.state)) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("factory reset: %w", err)
		}
	}
	return nil
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
