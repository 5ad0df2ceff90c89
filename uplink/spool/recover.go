// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
)

// recover reads the folder and clears what a crash left.
func (s *Spool) recover() error {
	s.set(func() {
		s.entries, s.bytes, s.records, s.drafts, s.seq, s.last, s.queued, s.durable = nil, 0, 0, 0, 0, nil, 0, 0
	})
	s.doubt, s.lost, s.aside = false, false, nil
	tmp, queue := filepath.Join(s.dir, tmpDir), filepath.Join(s.dir, queueDir)
	var lost []string
	for _, dir := range []string{tmp, queue} {
		err := s.disk.MkdirAll(dir)
		if errors.Is(err, syscall.ENOTDIR) && s.cfg.Damaged != nil {
			err = errors.Join(s.setAside(dir, err), s.disk.MkdirAll(dir))
			lost = []string{filepath.Base(dir)}
		}
		if err != nil {
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
	headErr := s.readHead()
	if errors.Is(headErr, syscall.EIO) && !s.beyond(headErr) {
		return fmt.Errorf("read the chain's head: %w", headErr)
	}
	damaged, err := s.readQueue()
	if err != nil {
		return err
	}
	if err := s.place(headErr); err != nil {
		return err
	}
	s.queued = s.seq // the queue was fsynced before it was read
	if s.lost {
		if _, err := s.append("", s.cfg.StoreLost()); err != nil {
			return fmt.Errorf("declare that the store was lost: %w", err)
		}
		s.lost = false
		s.aside = append(s.aside, fmt.Errorf("the chain's head was lost: records go on at %d", s.seq))
	}
	if err := s.declareDamaged(append(lost, damaged...)); err != nil {
		return err
	}
	return s.clearDrafts()
}

// readHead takes the chain's head from its file. One that cannot be read is an error like one that is not there.
func (s *Spool) readHead() error {
	b, err := s.disk.ReadFile(filepath.Join(s.dir, headFile), MaxRecord+64)
	if err != nil {
		return err
	}
	seq, record, err := decodeHead(b)
	if err != nil {
		return err
	}
	s.seq, s.last, s.durable = seq, record, seq
	return nil
}

// readQueue reads the entries, and returns the names of those that cannot be read. The last may be ahead of the head file by
// a cut between the two.
func (s *Spool) readQueue() (damaged []string, err error) {
	dir := filepath.Join(s.dir, queueDir)
	names, err := s.disk.ReadDir(dir) // sorted
	if err != nil && s.beyond(err) {
		// The folder itself: what was in it can only be counted by the gap it leaves.
		if err := s.setAside(dir, err); err != nil {
			return nil, err
		}
		if err := errors.Join(s.disk.MkdirAll(dir), s.disk.SyncDir(s.dir)); err != nil {
			return nil, err
		}
		return []string{queueDir}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		e, err := s.readEntry(n.Name())
		if err != nil && s.beyond(err) {
			s.aside = append(s.aside, fmt.Errorf("entry %s cannot be read: %w", n.Name(), err))
			damaged = append(damaged, n.Name())
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read entry %s: %w", n.Name(), err)
		}
		s.entries = append(s.entries, e)
		s.bytes += e.Bytes()
		s.records += e.overhead()
	}
	return damaged, nil
}

// patience is how often the disk may fail to read something before it is set aside.
const patience = 3

// beyond tells whether something that cannot be read is given up: damage at once, an error of the disk once it came again.
func (s *Spool) beyond(err error) bool {
	return s.cfg.Damaged != nil && (!errors.Is(err, syscall.EIO) || s.tries >= patience)
}

// declareDamaged declares the entries that cannot be read, and moves them out of the queue. In this order: a cut between the two
// declares them twice, and never leaves one out.
func (s *Spool) declareDamaged(names []string) error {
	for _, name := range names {
		_, id, err := parseEntryName(name)
		if err != nil {
			id = ""
		}
		if _, err := s.append(id, s.cfg.Damaged(id)); err != nil {
			return fmt.Errorf("declare that entry %s is damaged: %w", name, err)
		}
		if name == queueDir || name == tmpDir { // is there anew
			continue
		}
		if err := s.setAside(filepath.Join(s.dir, queueDir, name), errDamaged); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	return s.disk.SyncDir(filepath.Join(s.dir, queueDir))
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

// encodeHead writes the head as "SEQ SUM RECORD\n", the sum being of "SEQ RECORD"; before the first record as "0 SUM \n". A
// record with a flipped bit would be named as the predecessor of the next one, which is a fork.
func encodeHead(seq uint64, record []byte) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", seq, record))
	return fmt.Appendf(nil, "%d %x %s\n", seq, sum[:8], record)
}

func decodeHead(b []byte) (seq uint64, record []byte, err error) {
	number, rest, _ := bytes.Cut(b, []byte(" "))
	_, rest, _ = bytes.Cut(rest, []byte(" "))
	record, _ = bytes.CutSuffix(rest, []byte("\n"))
	seq, err = strconv.ParseUint(string(number), 10, 64)
	if err != nil || (seq == 0) != (len(record) == 0) || !bytes.Equal(b, encodeHead(seq, record)) {
		return 0, nil, errDamaged
	}
	if seq == 0 {
		record = nil
	}
	return seq, record, nil
}
