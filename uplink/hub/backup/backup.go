// SPDX-License-Identifier: Apache-2.0

// Package backup copies a hub into one file and makes a hub of that file again: [Write] works beside a
// running hub, [Restore] makes a folder that did not exist. The file is a tar archive of the hub's folder,
// with a last entry, backup.json, that tells how many files there are and what they hash to: a file that
// was cut short or changed is not restored.
//
// It holds the hub's private keys. What can be made anew is left out (index, unfinished clips, status), and
// so are enrolment tokens that are still open: one used after the backup would open again.
//
// The copy is consistent without stopping anything because of the order in which the store writes. Bodies
// are there before their record and tombstones before a removal, so records are listed first, then bodies
// are read, and tombstones after them.
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
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

const (
	manifestName = "backup.json"
	maxManifest  = 64 << 10
	version      = 1
)

// A Manifest is the last entry of a backup.
type Manifest struct {
	Version int       `json:"v"`
	Made    time.Time `json:"made"`
	Files   int       `json:"files"`
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"` // over name, size and content of all files, in their order
}

// left out of the hub's folder: made anew, or of this run only.
var leftOut = map[string]bool{"index.db": true, "index.db-wal": true, "index.db-shm": true, "status.json": true, "reserve": true, "incoming": true}

// A writer adds files of the folder to the archive.
type writer struct {
	dir  string
	tar  *tar.Writer
	hash hash.Hash
	sum  Manifest
}

// Write writes a backup of the hub in dir. What w holds after an error is no backup.
func Write(w io.Writer, dir string, now time.Time) (Manifest, error) {
	b := &writer{dir: dir, tar: tar.NewWriter(w), hash: sha256.New(), sum: Manifest{Version: version, Made: now.UTC().Truncate(time.Second)}}
	err := b.all()
	if err == nil {
		err = b.finish()
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("back up %s: %w", dir, err)
	}
	return b.sum, nil
}

func (b *writer) all() error {
	a, err := archive.Open(b.dir)
	if err != nil {
		return err
	}
	devices, err := a.Devices()
	if err != nil {
		return err
	}
	for _, d := range devices {
		if err := b.device(d); err != nil {
			return err
		}
	}
	return b.tree("", func(rel string) bool {
		top, below, _ := strings.Cut(rel, "/")
		return leftOut[top] || top == "devices" || strings.HasSuffix(rel, ".tmp") || top == "tokens" && below != "" && !strings.HasSuffix(below, ".used")
	})
}

// device copies what the store holds of a device.
func (b *writer) device(d *archive.Device) error {
	root := archive.DeviceDir(b.dir, d.ID)
	type body struct {
		seq  uint64
		clip string
	}
	var bodies []body
	for e, err := range d.Records() {
		if e.Seq == 0 {
			return err
		}
		// A damaged record is copied as it is: what can be found out about it later must not end here.
		if err := b.file(archive.RecordPath(root, e.Seq)); err != nil {
			return err
		}
		if err == nil && e.Record.Clip != nil {
			bodies = append(bodies, body{e.Seq, e.Record.Clip.ID})
		}
	}
	for _, p := range bodies {
		// Those that are not there were evicted, or are removed just now: the tombstone follows.
		for _, path := range []string{d.ClipPath(p.clip), d.DetailsPath(p.clip), archive.TombstonePath(root, p.seq)} {
			if err := b.file(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	rel := path.Join("devices", d.ID)
	return b.tree(rel, func(r string) bool {
		name := strings.TrimPrefix(r, rel+"/")
		return name == "records" || name == "clips" || name == "tombstones" || strings.HasSuffix(name, ".tmp")
	})
}

// tree copies the regular files below a folder, except for what skip names by the path from the hub's folder.
func (b *writer) tree(rel string, skip func(rel string) bool) error {
	entries, err := os.ReadDir(filepath.Join(b.dir, rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(rel, e.Name())
		if skip(name) {
			continue
		}
		switch {
		case e.IsDir():
			err = b.tree(name, skip)
		case e.Type().IsRegular():
			err = b.file(filepath.Join(b.dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				err = nil // removed meanwhile
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *writer) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(b.dir, name)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	if err := b.header(rel, info.Size(), info.ModTime()); err != nil {
		return err
	}
	account(b.hash, rel, info.Size())
	if _, err := io.CopyN(io.MultiWriter(b.tar, b.hash), f, info.Size()); err != nil {
		return fmt.Errorf("copy %s: %w", rel, err)
	}
	b.sum.Files++
	b.sum.Bytes += info.Size()
	return nil
}

func (b *writer) header(name string, size int64, at time.Time) error {
	return b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at, Format: tar.FormatPAX})
}

// account puts a file's name and size before its content, so that bytes cannot move from one to the next.
func account(h hash.Hash, name string, size int64) {
	fmt.Fprintf(h, "%d %s %d\n", len(name), name, size)
}

func (b *writer) finish() error {
	b.sum.SHA256 = hex.EncodeToString(b.hash.Sum(nil))
	text, err := json.Marshal(b.sum)
	if err != nil {
		return err
	}
	if err := b.header(manifestName, int64(len(text)), b.sum.Made); err != nil {
		return err
	}
	if _, err := b.tar.Write(text); err != nil {
		return err
	}
	return b.tar.Close()
}
