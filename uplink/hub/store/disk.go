// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A disk is every call by which the store changes its folder, or decides to. before, when set, is asked ahead of each
// one with the call's name and paths: an error is returned instead of making the call, except errSkip,
// which leaves the call out. Tests kill the store and take its defences away with it.
type disk struct {
	before func(call string, paths ...string) error
}

var errSkip = errors.New("leave this call out")

func (d disk) do(call func() error, name string, paths ...string) error {
	if d.before != nil {
		if err := d.before(name, paths...); errors.Is(err, errSkip) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return call()
}

// mkdir makes a folder and its parents.
func (d disk) mkdir(path string) error {
	return d.do(func() error { return os.MkdirAll(path, 0o700) }, "mkdir", path)
}

// writeAt writes data at offset, making the file if need be. It does not sync.
func (d disk) writeAt(path string, data []byte, offset int64) error {
	return d.do(func() error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(data, offset)
		return errors.Join(err, f.Close())
	}, "write", path)
}

// sync makes the file's content durable, whichever descriptor it was written through.
func (d disk) sync(path string) error {
	return d.do(func() error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}, "sync", path)
}

// rename replaces to by from, atomically but not yet durably: that takes syncDir of to's folder.
func (d disk) rename(from, to string) error {
	return d.do(func() error { return os.Rename(from, to) }, "rename", from, to)
}

// syncDir makes the names in a folder durable.
func (d disk) syncDir(path string) error {
	return d.do(func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}, "syncdir", path)
}

// remove removes a file or a whole folder; none there is fine.
func (d disk) remove(path string) error {
	return d.do(func() error { return os.RemoveAll(path) }, "remove", path)
}

// stage writes a whole temporary file and makes it durable. It takes a rename to count.
func (d disk) stage(temporary string, data []byte) error {
	if err := d.remove(temporary); err != nil {
		return err
	}
	if err := d.writeAt(temporary, data, 0); err != nil {
		return err
	}
	return d.sync(temporary)
}

// replace writes a whole file durably: a cut leaves the old content or the new.
func (d disk) replace(path string, data []byte) error {
	temporary := path + ".tmp"
	if err := d.stage(temporary, data); err != nil {
		return err
	}
	if err := d.rename(temporary, path); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

// WriteFile writes a file durably, readable by its owner alone: after a cut at any moment path holds
// its old content or data, and once WriteFile has returned nil it holds data.
func WriteFile(path string, data []byte) error {
	if err := (disk{}).replace(path, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// SyncDir makes the names in a folder durable after files were renamed in it.
func SyncDir(path string) error { return disk{}.syncDir(path) }

// size returns a file's length, and -1 when there is none.
func size(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
