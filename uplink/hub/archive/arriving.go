// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/nightjar-cam/nightjar/keys/record"
)

// The names in a record's folder of incoming.
const (
	ArrivingRecord  = "record"
	ArrivingDetails = "details"
	ArrivingClip    = "clip"
	ArrivingHold    = "hold"
)

// maxHold bounds the word in a hold file, in bytes.
const maxHold = 32

// An Arriving is a clip whose record and sealed details are here, and whose sealed clip is still on the camera, wholly or in
// part. No receipt was given for it: the camera keeps everything.
type Arriving struct {
	Entry              // Stored is when record and details arrived
	DetailsPath string // of the sealed details; compare them with the record's SHA-256 before use, as always
	Received    int64  // bytes of the sealed clip that are here
	Hold        string // a word of package uplink/policy: the clip does not follow by itself; empty: it does
}

// Arriving returns the device's clips that are on their way, by sequence number. With an error it still returns those that
// can be relied on. What a running hub commits after Arriving looked is in [Device.Records] when it is asked for later.
func (d *Device) Arriving() ([]Arriving, error) {
	names, err := os.ReadDir(d.incoming)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list what arrives of %s: %w", d.ID, err)
	}
	var all []Arriving
	var errs []error
	for _, n := range names {
		a, err := d.arriving(filepath.Join(d.incoming, n.Name()), n.Name())
		switch {
		case errors.Is(err, fs.ErrNotExist): // its details are not here yet, or it was committed this moment
		case err != nil:
			errs = append(errs, fmt.Errorf("what arrives of %s: %w", d.ID, err))
		case !d.Has(a.Seq): // or a crash left what commits of it
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b Arriving) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, errors.Join(errs...)
}

func (d *Device) arriving(dir, hash string) (Arriving, error) {
	path := filepath.Join(dir, ArrivingRecord)
	a := Arriving{DetailsPath: filepath.Join(dir, ArrivingDetails)}
	info, err := os.Stat(path)
	if err != nil {
		return a, err
	}
	a.Stored = info.ModTime().UTC()
	if a.JWS, err = readBounded(path, record.MaxSize); err != nil {
		return a, err
	}
	if a.Record, err = record.Verify(d.Identity, a.JWS); err != nil {
		return a, fmt.Errorf("%s: %w", path, err)
	}
	a.Seq = a.Record.Seq
	sum := record.Hash(a.JWS)
	if a.Record.Device != d.ID || a.Record.Clip == nil || hex.EncodeToString(sum[:]) != hash {
		return a, fmt.Errorf("%s holds record %d of device %q", path, a.Seq, a.Record.Device)
	}
	// A commit that was cut off has moved them, and is completed by the camera's next offer.
	clip := a.Record.Clip
	if a.DetailsPath, info, err = either(a.DetailsPath, d.DetailsPath(clip.ID)); err != nil {
		return a, err
	}
	if info.Size() != clip.Details.Size {
		return a, fmt.Errorf("%s has %d bytes, record %d says %d", a.DetailsPath, info.Size(), a.Seq, clip.Details.Size)
	}
	if a.Hold, err = ReadHold(dir); err != nil {
		return a, err
	}
	_, info, err = either(filepath.Join(dir, ArrivingClip), d.ClipPath(clip.ID))
	if err == nil {
		a.Received = info.Size()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	return a, nil
}

// ReadHold returns the word in the hold file of a record's folder, empty when there is none.
func ReadHold(dir string) (string, error) {
	b, err := readBounded(filepath.Join(dir, ArrivingHold), maxHold)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// either returns the first of two files that there is.
func either(path, other string) (string, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = other
		info, err = os.Stat(path)
	}
	return path, info, err
}
