// SPDX-License-Identifier: Apache-2.0

// Package archive is the layout of a hub's store on disk, and its read side. [Open] a store, ask for
// its [Archive.Devices], and read [Device.Records] or [Device.Verify] one. It needs no database and
// no key: everything in it is ciphertext, signatures and public keys, in plain files.
//
//	devices/<device>/device.json                the device: name, identity, date of enrolment
//	devices/<device>/revoked.json               there when the device is revoked: since when, and why
//	devices/<device>/records/<seq>.jws          signed record, compact JWS, seq with 8 digits or more
//	devices/<device>/tombstones/<seq>.jws       the hub's signed word that it removed the record's clip, and why
//	devices/<device>/clips/<clip>.mp4.age       the sealed clip of a record
//	devices/<device>/clips/<clip>.details.age   the sealed details of the clip
//	receipt.pub                                 public keys that tombstones verify with
//
// The presence of a record file is what commits a clip: the hub writes it last. A clip file without a
// record is what a crash leaves, and the next offer of the same clip completes it.
//
// Ahead of the sealed clip come its record and its sealed details, so that the owner sees on a slow link
// what is still on the camera. They are not stored yet, and wait apart, see [Device.Arriving]:
//
//	incoming/<device>/<record hash>/record    signed record; there once the details are, and are right
//	incoming/<device>/<record hash>/details   the sealed details
//	incoming/<device>/<record hash>/clip      what is here of the sealed clip
//	incoming/<device>/<record hash>/hold      why it does not follow by itself, in a word; absent when it does
package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nightjar-cam/nightjar/keys"
)

// ErrNoStore says that a folder holds no hub's store.
var ErrNoStore = errors.New("no store here: give the folder that `nightjar-hub init` made")

// ErrNoDevice says that the store knows no device of that name.
var ErrNoDevice = errors.New("no such device")

const (
	devicesDir = "devices"
	recordsDir = "records"
	clipsDir   = "clips"
	deviceFile = "device.json"

	incomingDir = "incoming"

	clipSuffix    = ".mp4.age"
	detailsSuffix = ".details.age"

	maxDeviceFile = 64 << 10
)

// An Archive reads one store. It holds no state and may be used while a hub writes to the store.
type Archive struct{ dir string }

// Open opens the store in dir for reading. The error wraps [ErrNoStore] when there is none.
func Open(dir string) (*Archive, error) {
	info, err := os.Stat(filepath.Join(dir, devicesDir))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		return nil, fmt.Errorf("open store %s: %w", dir, ErrNoStore)
	case err != nil:
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return &Archive{dir: dir}, nil
}

// Devices returns all enrolled devices, by name. A folder whose device.json cannot be read is an error:
// records without the key that signed them prove nothing.
func (a *Archive) Devices() ([]*Device, error) {
	entries, err := os.ReadDir(filepath.Join(a.dir, devicesDir))
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	var all []*Device
	for _, e := range entries {
		d, err := a.Device(e.Name())
		if errors.Is(err, ErrNoDevice) {
			continue // an enrolment cut before device.json was written
		}
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Device returns one device; the error wraps [ErrNoDevice] when it was never enrolled.
func (a *Archive) Device(id string) (*Device, error) {
	if err := keys.ValidDevice(id); err != nil {
		return nil, fmt.Errorf("device %q: %w (%v)", id, ErrNoDevice, err)
	}
	d := &Device{dir: DeviceDir(a.dir, id), incoming: IncomingDir(a.dir, id)}
	b, err := readBounded(d.file(), maxDeviceFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("device %s: %w", id, ErrNoDevice)
	}
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", id, err)
	}
	if err := json.Unmarshal(b, &d.About); err != nil {
		return nil, fmt.Errorf("device %s: read %s: %w", id, d.file(), err)
	}
	if d.ID != id {
		return nil, fmt.Errorf("device %s: %s is of device %q", id, d.file(), d.ID)
	}
	return d, d.About.valid()
}

// ValidClip reports whether id has the form of a clip id, 32 lower-case hexadecimal digits. Ids become
// file names, so nothing else may reach a path.
func ValidClip(id string) bool {
	if len(id) != 32 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// DeviceDir is the folder of a device in the store at dir. The id must be valid.
func DeviceDir(dir, id string) string { return filepath.Join(dir, devicesDir, id) }

// IncomingDir is the folder of what a device has not sent completely to the store at dir. The id must be valid.
func IncomingDir(dir, id string) string { return filepath.Join(dir, incomingDir, id) }

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
