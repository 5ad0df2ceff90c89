// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"path/filepath"
	"strings"
)

// Draft is an entry being written. One goroutine uses it; it ends with Commit or Abort.
type Draft struct {
	spool *Spool
	id    string
	dir   string
	parts []Part
	note  string
	open  int   // parts that are not closed yet
	err   error // of a part that failed
}

// Create begins an entry. The id is 1 to 64 of a-z, 0-9 and no draft may have it already.
func (s *Spool) Create(id string) (*Draft, error) {
	if id == "" {
		return nil, errors.New("begin entry: no id")
	}
	d, err := s.create(id, id)
	if err != nil {
		return nil, err
	}
	// Durable from the start: a draft that a power cut takes away as a whole would not be declared.
	if err := s.disk.SyncDir(filepath.Join(s.dir, tmpDir)); err != nil {
		return nil, errors.Join(fmt.Errorf("begin entry %s: %w", id, err), d.Abort())
	}
	return d, nil
}

// create makes the draft's folder. An id that was left behind by an Abort that failed is taken over.
func (s *Spool) create(id, name string) (*Draft, error) {
	if !validName(id) && id != "" {
		return nil, fmt.Errorf("begin entry: id %.80q must be 1 to 64 of a-z and 0-9", id)
	}
	d := &Draft{spool: s, id: id, dir: filepath.Join(s.dir, tmpDir, name)}
	err := s.disk.RemoveAll(d.dir)
	if err == nil {
		err = s.disk.MkdirAll(d.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("begin entry %s: %w", id, err)
	}
	return d, nil
}

// validName keeps ids and part names from reaching out of their folder.
func validName(s string) bool {
	foreign := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	return len(s) >= 1 && len(s) <= 64 && !strings.ContainsFunc(s, foreign)
}

// Part begins a file of the entry. What is written goes to the disk as it comes; Close makes it durable.
func (d *Draft) Part(name string) (*PartWriter, error) {
	if !validName(name) || name == recordFile || name == markerFile || name == noteFile {
		return nil, fmt.Errorf("entry %s: %q cannot name a part", d.id, name)
	}
	f, err := d.spool.disk.Create(filepath.Join(d.dir, name))
	if err != nil {
		return nil, fmt.Errorf("entry %s: %w", d.id, err)
	}
	d.open++
	return &PartWriter{draft: d, name: name, file: f, hash: sha256.New()}, nil
}

// SetNote gives the entry a word of 1 to 32 of a-z, 0-9 for this camera's own use, such as when to send it. It is kept beside
// the record, also when the files are evicted, but is no part of what is signed. The last one set before Commit counts.
func (d *Draft) SetNote(word string) error {
	if !validNote(word) {
		return fmt.Errorf("entry %s: note %.80q must be 1 to %d of a-z and 0-9", d.id, word, maxNote)
	}
	if err := d.spool.writeFile(filepath.Join(d.dir, noteFile), []byte(word)); err != nil {
		return fmt.Errorf("entry %s: write note: %w", d.id, err)
	}
	d.note = word
	return nil
}

// Commit makes the draft an entry, signed by sign, and durable. When it fails the draft may be aborted; an error that
// comes after the entry was put in the queue leaves it there, and the entry is returned with the error.
func (d *Draft) Commit(sign SignFunc) (Entry, error) {
	if d.open > 0 {
		return Entry{}, fmt.Errorf("commit entry %s: %d of its files are open", d.id, d.open)
	}
	if d.err != nil {
		return Entry{}, fmt.Errorf("commit entry %s: %w", d.id, d.err)
	}
	d.spool.mu.Lock()
	defer d.spool.mu.Unlock()
	if err := d.spool.makeRoom(total(d.parts)); err != nil {
		return Entry{}, fmt.Errorf("commit entry %s: %w", d.id, err)
	}
	e, err := d.spool.commit(d, sign)
	if err != nil {
		return e, fmt.Errorf("commit entry %s: %w", d.id, err)
	}
	return e, nil
}

// Abort removes the draft.
func (d *Draft) Abort() error {
	if err := d.spool.disk.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("abort entry %s: %w", d.id, err)
	}
	return nil
}

// PartWriter writes one file of a draft.
type PartWriter struct {
	draft  *Draft
	name   string
	file   file
	hash   hash.Hash
	size   int64
	err    error // sticky: after a failed write or fsync the file's content is unknown
	closed bool
}

// Write implements io.Writer.
func (w *PartWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	w.err = err
	return n, err
}

// Close makes the file durable. When it fails the draft cannot be committed. It may be called more than once.
func (w *PartWriter) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	w.draft.open--
	// An fsync that failed is not to be tried again: the kernel may have dropped the pages and then reports success.
	w.err = errors.Join(w.err, w.file.Sync(), w.file.Close())
	if w.err != nil {
		w.draft.err = w.err
		return w.err
	}
	w.draft.parts = append(w.draft.parts, Part{Name: w.name, Size: w.size, SHA256: [32]byte(w.hash.Sum(nil))})
	return nil
}
