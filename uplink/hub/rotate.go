// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// ErrOverlap says that a rotation would lock cameras out: some may not have heard of the spare yet.
var ErrOverlap = errors.New("cameras that are online learn of the present spare by their renewal, within 60 days of the last rotation")

// A rotation is prepared in the folder of the first name and given the second when it is whole; from then on it is finished,
// by whoever opens the hub next.
const (
	rotationDraft = "rotation.tmp"
	rotationDir   = "rotation"
)

// Trust is what a hub's cameras believe in.
type Trust struct {
	CA       *x509.Certificate
	Next     *x509.Certificate // nil: there is no spare, a rotation makes one
	Old      *x509.Certificate // nil: none
	OldUntil time.Time         // Old counts until then
}

// LoadTrust reads the CAs of the hub in dir, which may be running.
func LoadTrust(dir string) (Trust, error) {
	h := &Hub{cfg: Config{Dir: dir}}
	if err := h.loadKeys(); err != nil {
		return Trust{}, err
	}
	t := Trust{CA: h.ca.cert, Next: h.ca.next, Old: h.ca.old, OldUntil: h.ca.oldUntil}
	if t.Old == nil {
		t.OldUntil = time.Time{}
	}
	return t, nil
}

// Rotate lets the spare CA and the spare receipt key of the hub in dir take over, makes a new server key, and new spares. The
// former CA's key is gone; certificates by it count for [DeviceLifetime] more. Cameras know the spares from their last renewal,
// so those that are online notice nothing, and one that was away comes back by its identity. One that was away for two rotations
// must be enrolled again: within that time the error wraps [ErrOverlap], unless force is set.
//
// A hub of an older release has no spares: then they are made and nothing else happens. A running hub goes on with its keys
// until it is started again. A cut at any step leaves the old keys or the new ones.
func Rotate(dir string, force bool) error {
	if err := rotate(dir, force, time.Now(), func() error { return nil }); err != nil {
		return fmt.Errorf("rotate the keys of the hub in %s: %w", dir, err)
	}
	return nil
}

// rotate calls step before each write; an error of it is a cut.
func rotate(dir string, force bool, now time.Time, step func() error) error {
	h := &Hub{cfg: Config{Dir: dir}}
	if err := h.loadKeys(); err != nil {
		return err
	}
	spares, err := spareFiles(now)
	if err != nil {
		return err
	}
	if h.ca.next == nil || h.nextReceipt == nil {
		return writeFiles(dir, spares)
	}
	if h.ca.old != nil && now.Before(h.ca.oldUntil) && !force {
		return fmt.Errorf("%w: wait until %s", ErrOverlap, h.ca.oldUntil.UTC().Format("2006-01-02"))
	}
	key, err := loadKey[*ecdsa.PrivateKey](filepath.Join(dir, "ca-next.key"))
	if err != nil {
		return err
	}
	if !key.PublicKey.Equal(h.ca.next.PublicKey) {
		return errors.New("ca-next.key is not the key of ca-next.crt")
	}
	files, err := serverFiles(&authority{cert: h.ca.next, key: key}, "hub", h.server.Leaf, now)
	if err != nil {
		return err
	}
	for _, move := range []struct{ from, to string }{
		{"ca.crt", "ca-old.crt"}, {"ca-next.key", "ca.key"}, {"receipt-next.key", "receipt.key"}, {"ca-next.crt", "ca.crt"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, move.from))
		if err != nil {
			return err
		}
		files = append(files, keyFile{move.to, b})
	}
	return install(dir, append(files, spares...), step)
}

// install puts files into dir, all or none.
func install(dir string, files []keyFile, step func() error) error {
	draft := filepath.Join(dir, rotationDraft)
	if err := errors.Join(os.RemoveAll(draft), os.Mkdir(draft, 0o700)); err != nil {
		return err
	}
	for _, f := range files {
		if err := step(); err != nil {
			return err
		}
		if err := writeFiles(draft, []keyFile{f}); err != nil {
			return err
		}
	}
	if err := step(); err != nil {
		return err
	}
	if err := os.Rename(draft, filepath.Join(dir, rotationDir)); err != nil {
		return err
	}
	if err := store.SyncDir(dir); err != nil {
		return err
	}
	return moveRotation(dir, step)
}

// finishRotation does the rest of a rotation that was cut, or nothing.
func finishRotation(dir string) error {
	if err := moveRotation(dir, func() error { return nil }); err != nil {
		return fmt.Errorf("finish the rotation of the hub's keys in %s: %w", dir, err)
	}
	return nil
}

func moveRotation(dir string, step func() error) error {
	from := filepath.Join(dir, rotationDir)
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := step(); err != nil {
			return err
		}
		err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // another process finishes it as well
			return err
		}
	}
	// The names are durable before the folder that says what is to be done goes.
	if err := errors.Join(store.SyncDir(dir), step()); err != nil {
		return err
	}
	return os.RemoveAll(from)
}

// Retire ends the overlap at once: certificates by the former CA count no more, and cameras that show one renew within a
// minute. It is for a CA whose key somebody else may have. A running hub must be started again.
func Retire(dir string) error {
	if err := finishRotation(dir); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(dir, "ca-old.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("retire the former CA of the hub in %s: there is none", dir)
	}
	if err == nil {
		err = store.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("retire the former CA: %w", err)
	}
	return nil
}
