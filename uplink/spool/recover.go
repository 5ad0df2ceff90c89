// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
)

// recover reads the folder and clears what a crash left.
func (s *Spool) recover() error {
	tmp, queue := filepath.Join(s.dir, tmpDir), filepath.Join(s.dir, queueDir)
	for _, dir := range []string{tmp, queue} {
		if err := s.disk.MkdirAll(dir); err != nil {
			return err
		}
	}
	// New folders must not be lost with the first entry in them. Nor is what the last process left durable because it is
	// seen: the power may fail now, and what is done below relies on it.
	for _, dir := range []string{filepath.Dir(s.dir), s.dir, tmp, queue} {
		if err := s.disk.SyncDir(dir); err != nil {
			return err
		}
	}
	if err := s.readHead(); err != nil {
		return err
	}
	if err := s.readQueue(); err != nil {
		return err
	}
	return s.clearDrafts()
}

// readHead takes the chain's head from its file; a spool that never had a record has none.
func (s *Spool) readHead() error {
	b, err := s.disk.ReadFile(filepath.Join(s.dir, headFile), MaxRecord+64)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the chain's head: %w", err)
	}
	seq, record, err := decodeHead(b)
	if err != nil {
		return fmt.Errorf("read the chain's head: %w", err)
	}
	s.seq, s.last, s.durable = seq, record, seq
	return nil
}

// readQueue reads the entries. The last may be ahead of the head file by a cut between the two.
func (s *Spool) readQueue() error {
	dir := filepath.Join(s.dir, queueDir)
	names, err := s.disk.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	for _, n := range names {
		e, err := s.readEntry(n.Name())
		if err != nil {
			return fmt.Errorf("read entry %s: %w", n.Name(), err)
		}
		s.entries = append(s.entries, e)
		s.bytes += e.Bytes()
	}
	if n := len(s.entries); n > 0 && s.entries[n-1].Seq > s.seq {
		s.seq, s.last = s.entries[n-1].Seq, s.entries[n-1].Record
	}
	s.queued = s.seq // the queue was fsynced before it was read
	return nil
}

func (s *Spool) readEntry(name string) (Entry, error) {
	seq, id, err := parseEntryName(name)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Seq: seq, ID: id, spool: s}
	dir := s.entryDir(e)
	files, err := s.disk.ReadDir(dir)
	if err != nil {
		return Entry{}, err
	}
	for _, f := range files {
		switch f.Name() {
		case recordFile:
			e.Record, err = s.disk.ReadFile(filepath.Join(dir, recordFile), MaxRecord)
		case markerFile:
			e.Evicted = true
		case noteFile:
			e.Note, err = s.readNote(filepath.Join(dir, noteFile))
		default:
			var size int64
			size, err = s.disk.Size(filepath.Join(dir, f.Name()))
			e.Parts = append(e.Parts, Part{Name: f.Name(), Size: size})
		}
		if err != nil {
			return Entry{}, err
		}
	}
	if len(e.Record) == 0 {
		return Entry{}, errors.New("it has no record")
	}
	if e.Evicted { // finish what was begun, once the marker is there to stay
		if err := s.disk.SyncDir(dir); err != nil {
			return Entry{}, err
		}
		for _, p := range e.Parts {
			if err := s.disk.RemoveAll(filepath.Join(dir, p.Name)); err != nil {
				return Entry{}, err
			}
		}
		e.Parts = nil
	}
	return e, nil
}

func (s *Spool) readNote(path string) (string, error) {
	b, err := s.disk.ReadFile(path, maxNote)
	if err == nil && !validNote(string(b)) {
		err = errors.New("the note is damaged")
	}
	return string(b), err
}

// clearDrafts removes what was never committed. A clip among it is declared first: a cut between the two declares it twice,
// which is true both times.
func (s *Spool) clearDrafts() error {
	dir := filepath.Join(s.dir, tmpDir)
	names, err := s.disk.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		id := n.Name()
		if validName(id) && s.cfg.Interrupted != nil {
			if err := s.empty(filepath.Join(dir, id)); err != nil {
				return err
			}
			if _, err := s.append(id, s.cfg.Interrupted(id)); err != nil {
				return fmt.Errorf("declare that clip %s was interrupted: %w", id, err)
			}
		}
		if err := s.disk.RemoveAll(filepath.Join(dir, id)); err != nil {
			return err
		}
	}
	return nil
}

// empty removes the files of a draft and leaves its folder: on a full disk they hold the room that the declaration needs.
func (s *Spool) empty(dir string) error {
	files, err := s.disk.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.disk.RemoveAll(filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// encodeHead writes the head as "SEQ RECORD\n".
func encodeHead(seq uint64, record []byte) []byte {
	return fmt.Appendf(nil, "%d %s\n", seq, record)
}

func decodeHead(b []byte) (seq uint64, record []byte, err error) {
	number, rest, ok := bytes.Cut(b, []byte(" "))
	record, end := bytes.CutSuffix(rest, []byte("\n"))
	seq, err = strconv.ParseUint(string(number), 10, 64)
	if !ok || !end || err != nil || seq == 0 || len(record) == 0 || !bytes.Equal(b, encodeHead(seq, record)) {
		return 0, nil, errors.New("the file is damaged")
	}
	return seq, record, nil
}
