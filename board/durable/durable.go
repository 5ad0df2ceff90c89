// SPDX-License-Identifier: Apache-2.0

// Package durable writes the small files of this room that must survive a power cut: [Replace] one. Package keys/durable does so for
// keys, which import nothing of the board.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace makes text the content of the file at path, and durable: a cut at any moment leaves the old file or the new one. sync is
// (*os.File).Sync, but in tests.
func Replace(path string, text []byte, sync func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // not there any more when all went well
	_, err = f.Write(text)
	if err := errors.Join(err, sync(f), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path)) // the new name is durable with its folder only
	if err != nil {
		return err
	}
	return errors.Join(sync(dir), dir.Close())
}
