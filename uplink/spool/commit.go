// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// commit signs the record, makes the draft an entry and advances the head. The caller holds write.
func (s *Spool) commit(d *Draft, sign SignFunc) (Entry, error) {
	seq := s.seq + 1
	if err := s.reserve(seq); err != nil {
		return Entry{}, err
	}
	record, err := sign(seq, s.hash(), d.parts)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", errSign, err)
	}
	if len(record) == 0 || len(record) > MaxRecord {
		return Entry{}, fmt.Errorf("%w: it has %d bytes, must have 1 to %d", errSign, len(record), MaxRecord)
	}
	if err := s.writeFile(filepath.Join(d.dir, recordFile), record); err != nil {
		return Entry{}, err
	}
	if err := s.disk.SyncDir(d.dir); err != nil {
		return Entry{}, err
	}
	e := Entry{Seq: seq, ID: d.id, Record: record, Parts: d.parts, Note: d.note, spool: s, draft: filepath.Base(d.dir)}
	if err := s.disk.Rename(d.dir, s.entryDir(e)); err != nil {
		return Entry{}, err
	}
	// The number is used from here on, whatever fails below: what is in the queue may be there after a crash, too.
	s.set(func() {
		s.seq, s.last = seq, record
		s.entries = append(s.entries, e)
		s.bytes += e.Bytes()
		s.records += e.overhead()
	})
	d.release()
	d.gone = true
	return e, s.settle()
}

// sure settles what an earlier error left in doubt, before anything is built on it. The caller holds write.
func (s *Spool) sure() error {
	if !s.doubt {
		return nil
	}
	return s.settle()
}

// Settle makes durable what an earlier error of the disk left in doubt. Without such it does nothing.
func (s *Spool) Settle() error {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.opened {
		return ErrNotOpen
	}
	if s.queued == s.seq && s.durable == s.seq {
		return nil
	}
	return s.settle()
}

// settle makes the queue durable and then the head, which must not run ahead of it. The caller holds write.
func (s *Spool) settle() error {
	if s.queued < s.seq {
		if err := s.syncQueue(); err != nil {
			return fmt.Errorf("make entry %d durable: %w", s.seq, err)
		}
		s.set(func() { s.queued = s.seq })
	}
	if err := s.writeHead(); err != nil {
		return fmt.Errorf("advance the chain's head: %w", err)
	}
	return nil
}

// syncQueue makes the queue's entries durable. After it failed once they are renamed out and in again, so that there is
// something to write: an fsync that has nothing to write succeeds and proves nothing. They go by the name that they had as
// drafts, so that both folders are written; a cut between the two leaves a draft, of a record that nobody has seen.
func (s *Spool) syncQueue() error {
	if s.doubt {
		for _, e := range s.entries {
			if e.Seq <= s.queued {
				continue
			}
			via := filepath.Join(s.dir, tmpDir, e.draft)
			if err := s.disk.Rename(s.entryDir(e), via); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := s.disk.Rename(via, s.entryDir(e)); err != nil {
				return err
			}
		}
	}
	s.doubt = true
	if err := s.disk.SyncDir(filepath.Join(s.dir, queueDir)); err != nil {
		return err
	}
	s.doubt = false
	return nil
}

// writeFile makes a file with its content durable; its name is durable only after the folder's fsync.
func (s *Spool) writeFile(path string, b []byte) error {
	f, err := s.disk.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// replaceFile replaces a file with its content, durably.
func (s *Spool) replaceFile(path string, b []byte) error {
	if err := s.writeFile(path+".new", b); err != nil {
		return err
	}
	if err := s.disk.Rename(path+".new", path); err != nil {
		return err
	}
	return s.disk.SyncDir(filepath.Dir(path))
}

// writeHead replaces the head file.
func (s *Spool) writeHead() error {
	if err := s.replaceFile(filepath.Join(s.dir, headFile), encodeHead(s.seq, s.last)); err != nil {
		return err
	}
	s.durable = s.seq
	return nil
}
