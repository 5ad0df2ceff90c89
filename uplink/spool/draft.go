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
	held  int64 // bytes of it on disk, counted in the spool's drafts
	gone  bool  // it was committed

	extended map[string]int64 // bytes of the parts that Extend wrote
}

// Create begins an entry. The id is 1 to 64 of a-z, 0-9; a draft that has it already, left behind by an Abort that failed, is
// taken over.
func (s *Spool) Create(id string) (*Draft, error) {
	if id == "" {
		return nil, errors.New("begin entry: no id")
	}
	if !s.Opened() {
		return nil, fmt.Errorf("begin entry %s: %w", id, ErrNotOpen)
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

// create makes the draft's folder.
func (s *Spool) create(id, name string) (*Draft, error) {
	if !validName(id) && id != "" {
		return nil, fmt.Errorf("begin entry: id %.80q must be 1 to 64 of a-z and 0-9", id)
	}
	d := &Draft{spool: s, id: id, dir: filepath.Join(s.dir, tmpDir, name), extended: map[string]int64{}}
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

func validPart(s string) bool {
	return validName(s) && s != recordFile && s != markerFile && s != noteFile
}

// Part begins a file of the entry. What is written goes to the disk as it comes; Close makes it durable.
func (d *Draft) Part(name string) (*PartWriter, error) {
	if !validPart(name) {
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

// Commit makes the draft an entry, signed by sign, and durable. When it fails the draft may be aborted, or committed again; an
// error that comes after the entry was put in the queue leaves it there, and the entry is returned with the error: it is shown
// and safe once [Spool.Settle], or a later commit, succeeds.
func (d *Draft) Commit(sign SignFunc) (Entry, error) {
	if d.open > 0 {
		return Entry{}, fmt.Errorf("commit entry %s: %d of its files are open", d.id, d.open)
	}
	if d.err != nil {
		return Entry{}, fmt.Errorf("commit entry %s: %w", d.id, d.err)
	}
	d.spool.write.Lock()
	defer d.spool.write.Unlock()
	if !d.spool.opened {
		return Entry{}, fmt.Errorf("commit entry %s: %w", d.id, ErrNotOpen)
	}
	if err := d.spool.sure(); err != nil {
		return Entry{}, fmt.Errorf("commit entry %s: %w", d.id, err)
	}
	if err := d.spool.makeRoom(0, d.held); err != nil {
		return Entry{}, fmt.Errorf("commit entry %s: %w", d.id, err)
	}
	e, err := d.spool.commit(d, sign)
	if err != nil {
		return e, fmt.Errorf("commit entry %s: %w", d.id, err)
	}
	return e, nil
}

// Abort removes the draft. A draft that was committed is none any more, and stays.
func (d *Draft) Abort() error {
	if d.gone {
		return nil
	}
	if err := d.spool.disk.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("abort entry %s: %w", d.id, err)
	}
	d.release()
	return nil
}

// hold counts bytes that the draft has on disk, release those it has no more.
func (d *Draft) hold(n int64) {
	d.spool.mu.Lock()
	defer d.spool.mu.Unlock()
	d.held += n
	d.spool.drafts += n
}

func (d *Draft) release() { d.hold(-d.held) }

// Extend writes blocks into a part from byte at on, and makes them durable; what the part had behind that is thrown away. After
// an error it may be called again with the same at, also by another draft of the same id; [fs.ErrNotExist] says that the
// bytes before at are gone.
func (d *Draft) Extend(name string, at int64, blocks [][]byte) error {
	if !validPart(name) {
		return fmt.Errorf("entry %s: %q cannot name a part", d.id, name)
	}
	if err := d.extend(name, at, blocks); err != nil {
		return fmt.Errorf("entry %s: write %s: %w", d.id, name, err)
	}
	return nil
}

func (d *Draft) extend(name string, at int64, blocks [][]byte) error {
	var size int64
	for _, b := range blocks {
		size += int64(len(b))
	}
	d.spool.write.Lock()
	defer d.spool.write.Unlock()
	if err := d.spool.makeRoom(size, d.held); err != nil {
		return err
	}
	f, err := d.spool.disk.Resume(filepath.Join(d.dir, name), at)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if _, err = f.Write(b); err != nil {
			break
		}
	}
	// Once only: after an fsync that failed the kernel may have dropped the pages, and reports success.
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	d.hold(at + size - d.extended[name])
	d.extended[name] = at + size
	return nil
}

// SetParts says what the parts that were written with Extend have become.
func (d *Draft) SetParts(parts []Part) { d.parts = parts }

// Redo makes the draft's folder anew around its files after an error, so that there is something to fsync.
func (d *Draft) Redo() error {
	files, err := d.spool.disk.ReadDir(d.dir)
	for _, f := range files {
		name := filepath.Join(d.dir, f.Name())
		if err == nil {
			err = d.spool.disk.Rename(name, name+redoSuffix)
		}
		if err == nil {
			err = d.spool.disk.Rename(name+redoSuffix, name)
		}
	}
	if err != nil {
		return fmt.Errorf("entry %s: %w", d.id, err)
	}
	return nil
}

// redoSuffix marks a file on its way; no part has a dash in its name.
const redoSuffix = "-redo"

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
	w.draft.hold(int64(n))
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
