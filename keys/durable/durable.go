// SPDX-License-Identifier: Apache-2.0

// Package durable writes small files that must survive a power cut: [Replace] one.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Replace makes text the content of the file at path, readable by its owner only, and durable: a cut at any moment leaves the old
// file or the new one. After an error either may be there.
func Replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // not there any more when all went well
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	// The new name is durable with its folder only.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
