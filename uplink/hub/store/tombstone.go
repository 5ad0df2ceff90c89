// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// reserveFile holds space for tombstones: on a full disk a removal, which is to make room, needs some first.
const (
	reserveFile = "reserve"
	reserveSize = 256 << 10
)

// A Sexton removes clips from the store in a folder. It touches only clips whose record is stored, which
// nobody writes to any more, so it needs no lock and may work beside a running hub.
type Sexton struct {
	dir  string
	key  ed25519.PrivateKey
	disk disk
}

// NewSexton returns a sexton for the store in dir; key is the hub's receipt key.
func NewSexton(dir string, key ed25519.PrivateKey) *Sexton { return &Sexton{dir: dir, key: key} }

// Remove removes the clip of a stored record, and leaves the record and a tombstone. The tombstone is
// durable before anything is removed: a cut leaves a clip that is there, or one of which is said why it is
// not. Removing again finishes what a cut left.
func (x *Sexton) Remove(d *archive.Device, e archive.Entry, reason string, now time.Time) error {
	c := e.Record.Clip
	if c == nil {
		return fmt.Errorf("remove clip of record %d of %s: it has none", e.Seq, d.ID)
	}
	if !d.Gone(e) {
		err := x.entomb(d, e, reason, now)
		if errors.Is(err, unix.ENOSPC) && x.disk.remove(filepath.Join(x.dir, reserveFile)) == nil {
			err = x.entomb(d, e, reason, now)
		}
		if err != nil {
			return fmt.Errorf("remove clip %s: %w", c.ID, err)
		}
	}
	for _, path := range []string{d.ClipPath(c.ID), d.DetailsPath(c.ID)} {
		if err := x.disk.remove(path); err != nil {
			return fmt.Errorf("remove clip %s: %w", c.ID, err)
		}
	}
	if err := x.disk.syncDir(filepath.Dir(d.ClipPath(c.ID))); err != nil {
		return fmt.Errorf("remove clip %s: %w", c.ID, err)
	}
	return nil
}

func (x *Sexton) entomb(d *archive.Device, e archive.Entry, reason string, now time.Time) error {
	jws, err := record.SignTombstone(x.key, record.Tombstone{
		Version: record.Version, Device: d.ID, Seq: e.Seq, Record: hash(e.JWS), Clip: e.Record.Clip.ID,
		Removed: now.UTC().Truncate(time.Millisecond), Reason: reason,
	})
	if err != nil {
		return err
	}
	if err := publishKey(x.dir, x.key.Public().(ed25519.PublicKey), x.disk); err != nil {
		return err
	}
	device := archive.DeviceDir(x.dir, d.ID)
	path := archive.TombstonePath(device, e.Seq)
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(x.disk.mkdir(filepath.Dir(path)), x.disk.syncDir(device)); err != nil {
			return err
		}
	}
	return x.disk.replace(path, jws)
}

// publishKey adds the receipt key to those in the folder, so that whoever has a copy of the store can check
// its tombstones.
func publishKey(dir string, key ed25519.PublicKey, d disk) error {
	a, err := archive.Open(dir)
	if err != nil {
		return err
	}
	known, err := a.ReceiptKeys()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, k := range known {
		if k.Equal(key) {
			return nil
		}
	}
	var file []byte
	for _, k := range append(known, key) {
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			return err
		}
		file = append(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	if err := d.replace(archive.ReceiptKeysPath(dir), file); err != nil {
		return fmt.Errorf("publish receipt key: %w", err)
	}
	return nil
}

// reserve takes the space for tombstones again, if there is any. The first removal on a full disk gives it up.
func (s *Store) reserve() {
	path := filepath.Join(s.dir, reserveFile)
	if n, err := size(path); err == nil && n == reserveSize {
		return
	}
	err := s.disk.do(func() error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, reserveSize), f.Close())
	}, "reserve", path)
	if err != nil {
		_ = s.disk.remove(path)
	}
}
