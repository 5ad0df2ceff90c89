// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
)

const revokedFile = "revoked.json"

// A Revocation is what revoked.json in a device's folder holds: the device is no longer served. Its
// records and clips stay as they are.
type Revocation struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"` // for people

	// Unclaimed says that the device itself took leave, before it destroyed its identity. Its name stays its records'.
	Unclaimed bool `json:"unclaimed,omitempty"`
}

// RevokedPath is the path of the revocation of the device in folder dir.
func RevokedPath(dir string) string { return filepath.Join(dir, revokedFile) }

// Revoked reports whether the device is revoked. It asks the disk each time, since another process
// revokes, and costs one stat while the device is not. A revocation that cannot be read counts.
func (a *Archive) Revoked(id string) (Revocation, bool) {
	if keys.ValidDevice(id) != nil {
		return Revocation{}, false
	}
	return revoked(DeviceDir(a.dir, id))
}

// Revoked is [Archive.Revoked] for this device.
func (d *Device) Revoked() (Revocation, bool) { return revoked(d.dir) }

func revoked(dir string) (r Revocation, yes bool) {
	path := RevokedPath(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return r, false
	}
	b, err := readBounded(path, maxDeviceFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false // undone meanwhile
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		r.Reason = "the revocation cannot be read: " + err.Error()
	}
	return r, true
}
