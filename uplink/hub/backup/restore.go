// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// ErrExists says that there is something at the place where a hub is to be restored.
var ErrExists = errors.New("there is something here already; nothing is written over")

// ErrDamaged says that a file is not a whole, unchanged backup.
var ErrDamaged = errors.New("not a whole backup")

// Restore makes the hub of a backup in dir, which must not exist or be empty. The folder appears only once
// all of it is on disk and hashes to what the backup says; after an error there is none. The index is made
// anew when the hub starts.
func Restore(r io.Reader, dir string) (Manifest, error) {
	m, err := restore(r, dir)
	if err != nil {
		return Manifest{}, fmt.Errorf("restore %s: %w", dir, err)
	}
	return m, nil
}

func restore(r io.Reader, dir string) (m Manifest, err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, errors.Join(ErrExists, err)
	}
	dir = filepath.Clean(dir)
	temporary := dir + ".restoring" // of a restore that was cut
	if err := os.RemoveAll(temporary); err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(temporary)
		}
	}()
	// The folders that a hub has from the start.
	for _, sub := range []string{"devices", "incoming", "tokens"} {
		if err := os.MkdirAll(filepath.Join(temporary, sub), 0o700); err != nil {
			return m, err
		}
	}
	if m, err = extract(r, temporary); err != nil {
		return m, err
	}
	if err := fillDevices(temporary); err != nil {
		return m, err
	}
	if err := syncTree(temporary); err != nil {
		return m, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // goes only while it is empty
		return m, err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return m, err
	}
	return m, store.SyncDir(filepath.Dir(dir))
}

func extract(r io.Reader, dir string) (m Manifest, err error) {
	in, sum := tar.NewReader(r), sha256.New()
	var got Manifest
	for {
		h, err := in.Next()
		if err != nil {
			return m, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) || filepath.ToSlash(filepath.Clean(h.Name)) != h.Name {
			return m, fmt.Errorf("%w: entry %q", ErrDamaged, h.Name)
		}
		if h.Name == manifestName {
			if h.Size > maxManifest {
				return m, fmt.Errorf("%w: %s of %d bytes", ErrDamaged, manifestName, h.Size)
			}
			if err := json.NewDecoder(in).Decode(&m); err != nil {
				return m, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
			}
			break
		}
		if err := one(in, h, dir, sum); err != nil {
			return m, err
		}
		got.Files++
		got.Bytes += h.Size
	}
	switch {
	case m.Version != version:
		return m, fmt.Errorf("backup of version %d, this program knows %d", m.Version, version)
	case m.Files != got.Files || m.Bytes != got.Bytes || m.SHA256 != hex.EncodeToString(sum.Sum(nil)):
		return m, fmt.Errorf("%w: its files are not those it was made of", ErrDamaged)
	}
	return m, nil
}

func one(in io.Reader, h *tar.Header, dir string, sum hash.Hash) error {
	path := filepath.Join(dir, h.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: entry %q twice", ErrDamaged, h.Name)
	}
	if err != nil {
		return err
	}
	account(sum, h.Name, h.Size)
	_, err = io.Copy(io.MultiWriter(f, sum), in)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err == nil {
		// A record's time is when the hub stored it, which the retention goes by.
		err = os.Chtimes(path, h.ModTime, h.ModTime)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// fillDevices makes the folders that a device without clips has, too.
func fillDevices(dir string) error {
	devices, err := os.ReadDir(filepath.Join(dir, "devices"))
	if err != nil {
		return err
	}
	for _, d := range devices {
		for _, sub := range []string{"records", "clips"} {
			if err := os.MkdirAll(filepath.Join(dir, "devices", d.Name(), sub), 0o700); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncTree makes the names in all folders durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return store.SyncDir(path)
	})
}
