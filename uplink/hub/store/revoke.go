// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// ErrRevoked says that a device of that name was revoked: it is not added again until that is undone.
var ErrRevoked = errors.New("device is revoked")

// maxReason bounds the reason of a revocation, in bytes.
const maxReason = 200

// Revoke marks a device of the store in dir as revoked, durably. It takes no lock: the hub that runs
// on the folder looks for itself. Revoking again changes nothing and keeps the first date.
func Revoke(dir, device, reason string, now time.Time) error {
	return revoke(dir, device, archive.Revocation{At: now, Reason: reason})
}

// Unclaim revokes a device that was reset to the factory's state, and says so: nobody has its identity any more.
func (s *Store) Unclaim(device string, now time.Time) error {
	return revoke(s.dir, device, archive.Revocation{At: now, Reason: "reset to the factory's state", Unclaimed: true})
}

func revoke(dir, device string, r archive.Revocation) error {
	path, err := revocation(dir, device)
	if err != nil {
		return err
	}
	if len(r.Reason) > maxReason {
		return fmt.Errorf("revoke device %s: reason of %d bytes: give at most %d", device, len(r.Reason), maxReason)
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	r.At = r.At.UTC().Truncate(time.Second)
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("revoke device %s: %w", device, err)
	}
	if err := (disk{}).replace(path, append(b, '\n')); err != nil {
		return fmt.Errorf("revoke device %s: %w", device, err)
	}
	return nil
}

// Reinstate undoes Revoke. A device that is not revoked is left as it is.
func Reinstate(dir, device string) error {
	path, err := revocation(dir, device)
	if err != nil {
		return err
	}
	if err := errors.Join((disk{}).remove(path), SyncDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("reinstate device %s: %w", device, err)
	}
	return nil
}

// revocation returns the path for a device that exists.
func revocation(dir, device string) (string, error) {
	a, err := archive.Open(dir)
	if err != nil {
		return "", err
	}
	if _, err := a.Device(device); err != nil {
		return "", err
	}
	return archive.RevokedPath(archive.DeviceDir(dir, device)), nil
}
