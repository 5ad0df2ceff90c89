// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// recover reads the folder and clears what a crash left.
func (s *Spool) recover() error {
	for _, dir := range []string{s.dir, filepath.Join(s.dir, tmpDir), filepath.Join(s.dir, queueDir)} {
		if err := s.disk.MkdirAll(dir); err != nil {
			return err
		}
	}
	// New folders must not be lost with the first entry in them.
	if err := s.disk.SyncDir(s.dir); err != nil {
		return err
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
	s.seq, s.hash = seq, sha256.Sum256(record)
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
	if len(s.entries) == 0 {
		return nil
	}
	last := s.entries[len(s.entries)-1]
	if last.Seq <= s.seq {
		return nil
	}
	s.seq, s.hash = last.Seq, sha256.Sum256(last.Record)
	// The rename that put it here may not be durable yet, and the head must not run ahead of the queue.
	if err := s.disk.SyncDir(dir); err != nil {
		return err
	}
	return s.writeHead(last.Record)
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
	if e.Evicted { // finish what was begun
		for _, p := range e.Parts {
			if err := s.disk.RemoveAll(filepath.Join(dir, p.Name)); err != nil {
				return Entry{}, err
			}
		}
		e.Parts = nil
	}
	return e, nil
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
		clip := id != recordFile && !strings.HasPrefix(id, removedPrefix)
		if clip && s.cfg.Interrupted != nil {
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

// encodeHead writes the head as "SEQ RECORD\n".
func encodeHead(seq uint64, record []byte) []byte {
	return fmt.Appendf(nil, "%d %s\n", seq, record)
}

func decodeHead(b []byte) (seq uint64, record []byte, err error) {
	number, rest, ok := bytes.Cut(b, []byte(" "))
	record, end := bytes.CutSuffix(rest, []byte("\n"))
	seq, err = strconv.ParseUint(string(number), 10, 64)
	if !ok || !end || err != nil || seq == 0 || len(record) == 0 {
		return 0, nil, errors.New("the file is damaged")
	}
	return seq, record, nil
}
