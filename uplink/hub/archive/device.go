// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
)

// About is what device.json holds. Its identity is the Ed25519 key that signs the device's records.
type About struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"` // for people; empty: the id
	Identity ed25519.PublicKey `json:"identity"`       // 32 bytes, base64 in the file
	Enrolled time.Time         `json:"enrolled"`
}

func (a About) valid() error {
	if err := keys.ValidDevice(a.ID); err != nil {
		return fmt.Errorf("device %q: %w", a.ID, err)
	}
	if len(a.Identity) != ed25519.PublicKeySize {
		return fmt.Errorf("device %s: identity has %d bytes, want %d", a.ID, len(a.Identity), ed25519.PublicKeySize)
	}
	return nil
}

// Marshal returns the bytes of device.json.
func (a About) Marshal() ([]byte, error) {
	if err := a.valid(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(a, "", "  ")
	return append(b, '\n'), err
}

// A Device is one device's part of the store.
type Device struct {
	About
	dir, incoming string
}

func (d *Device) file() string { return filepath.Join(d.dir, deviceFile) }

// AboutPath is the path of the device.json of the device in folder dir.
func AboutPath(dir string) string { return filepath.Join(dir, deviceFile) }

// RecordPath is the path of the record seq of the device in folder dir.
func RecordPath(dir string, seq uint64) string {
	return filepath.Join(dir, recordsDir, fmt.Sprintf("%08d.jws", seq))
}

// ClipPath is the path of a sealed clip of the device in folder dir. The id must be valid.
func ClipPath(dir, id string) string { return filepath.Join(dir, clipsDir, id+clipSuffix) }

// DetailsPath is the path of a clip's sealed details of the device in folder dir. The id must be valid.
func DetailsPath(dir, id string) string { return filepath.Join(dir, clipsDir, id+detailsSuffix) }

// ClipPath is where the sealed clip lies, whether it exists or not.
func (d *Device) ClipPath(id string) string { return ClipPath(d.dir, id) }

// DetailsPath is where the clip's sealed details lie, whether they exist or not.
func (d *Device) DetailsPath(id string) string { return DetailsPath(d.dir, id) }

// An Entry is one record file.
type Entry struct {
	Seq    uint64 // as the file's name says; equals Record.Seq in a sound store
	JWS    []byte // as signed; [record.Hash] of it is what the next record names
	Record record.Record
	Stored time.Time // when the hub committed it
}

// Records yields the device's records by sequence number. A record that cannot be read or does not
// verify is yielded with an error and as much of the entry as is known, and the iteration goes on.
func (d *Device) Records() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		seqs, err := d.seqs()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for _, seq := range seqs {
			if !yield(d.Entry(seq)) {
				return
			}
		}
	}
}

// Entry reads and verifies one record. The error wraps [fs.ErrNotExist] when the hub does not have it.
func (d *Device) Entry(seq uint64) (Entry, error) {
	e := Entry{Seq: seq}
	path := RecordPath(d.dir, seq)
	info, err := os.Stat(path)
	if err != nil {
		return e, fmt.Errorf("record %d: %w", seq, err)
	}
	e.Stored = info.ModTime().UTC()
	if e.JWS, err = readBounded(path, record.MaxSize); err != nil {
		return e, fmt.Errorf("record %d: %w", seq, err)
	}
	if e.Record, err = record.Verify(d.Identity, e.JWS); err != nil {
		return e, fmt.Errorf("record %d: %w", seq, err)
	}
	if e.Record.Seq != seq || e.Record.Device != d.ID {
		return e, fmt.Errorf("record %d: the file holds record %d of device %q", seq, e.Record.Seq, e.Record.Device)
	}
	return e, nil
}

// Has reports whether there is a file for the record, sound or not.
func (d *Device) Has(seq uint64) bool {
	_, err := os.Stat(RecordPath(d.dir, seq))
	return err == nil
}

// Count returns the number of record files, sound or not.
func (d *Device) Count() (int, error) {
	seqs, err := d.seqs()
	return len(seqs), err
}

// seqs lists the record files in numeric order: names grow beyond 8 digits, so their order is not lexical.
func (d *Device) seqs() ([]uint64, error) {
	names, err := os.ReadDir(filepath.Join(d.dir, recordsDir))
	if err != nil {
		return nil, fmt.Errorf("list records of %s: %w", d.ID, err)
	}
	seqs := make([]uint64, 0, len(names))
	for _, n := range names {
		digits, ok := strings.CutSuffix(n.Name(), ".jws")
		seq, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || filepath.Base(RecordPath(d.dir, seq)) != n.Name() {
			continue // Verify names it as stray
		}
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	return seqs, nil
}

// Usage returns how many sealed clips of the device are in the store, and how many bytes these and their
// details take.
func (d *Device) Usage() (clips int, bytes int64, err error) {
	entries, err := os.ReadDir(filepath.Join(d.dir, clipsDir))
	if err != nil {
		return 0, 0, fmt.Errorf("list clips of %s: %w", d.ID, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return 0, 0, fmt.Errorf("list clips of %s: %w", d.ID, err)
		}
		bytes += info.Size()
		if strings.HasSuffix(e.Name(), clipSuffix) {
			clips++
		}
	}
	return clips, bytes, nil
}
