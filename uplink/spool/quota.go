// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// used is what the spool holds on disk, in bytes. The caller holds a lock.
func (s *Spool) used() int64 { return s.bytes + s.records + s.drafts }

// makeRoom evicts the files of the oldest entries until need more bytes fit. The caller holds write.
func (s *Spool) makeRoom(need, own int64) error {
	if s.cfg.MaxBytes == 0 {
		return nil
	}
	used := func() int64 { s.mu.Lock(); defer s.mu.Unlock(); return s.used() + need }
	if need+own > s.cfg.MaxBytes || used() > s.cfg.MaxBytes && s.cfg.Evicted == nil {
		return fmt.Errorf("%w: %d bytes of %d are used, %d more are needed", ErrFull, used()-need, s.cfg.MaxBytes, need)
	}
	for i := 0; used() > s.cfg.MaxBytes && i < len(s.entries); i++ {
		if s.entries[i].Evicted || s.entries[i].Bytes() == 0 {
			continue
		}
		if err := s.evict(i); err != nil {
			return err
		}
	}
	return nil
}

// evict removes the files of entry i and declares it. The declaration comes first: a cut between the two leaves a clip
// that is declared lost and arrives, never one that is missing without a word.
func (s *Spool) evict(i int) error {
	e := s.entries[i]
	if _, err := s.append(e.ID, s.cfg.Evicted(e)); err != nil {
		return fmt.Errorf("declare the eviction of entry %d: %w", e.Seq, err)
	}
	// The marker tells a crash from here on what was meant.
	if err := s.writeFile(filepath.Join(s.entryDir(e), markerFile), nil); err != nil {
		return fmt.Errorf("evict entry %d: %w", e.Seq, err)
	}
	if err := s.disk.SyncDir(s.entryDir(e)); err != nil {
		return fmt.Errorf("evict entry %d: %w", e.Seq, err)
	}
	s.set(func() {
		s.bytes -= e.Bytes()
		s.entries[i].Evicted, s.entries[i].Parts = true, nil
	})
	for _, p := range e.Parts {
		if err := s.disk.RemoveAll(filepath.Join(s.entryDir(e), p.Name)); err != nil {
			return fmt.Errorf("evict entry %d: %w", e.Seq, err)
		}
	}
	return nil
}

// Relieve makes room on a disk that is full below the spool's bound: it evicts the oldest entries' files until there is some. The
// declaration needs room itself, which is what the ballast is for; it is taken again before anything else takes the room.
func (s *Spool) Relieve() error {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.opened || s.cfg.Evicted == nil {
		return nil
	}
	for i := 0; i < len(s.entries); i++ {
		if s.entries[i].Evicted || s.entries[i].Bytes() == 0 {
			continue
		}
		if err := s.disk.RemoveAll(s.ballastPath()); err != nil {
			return fmt.Errorf("make room: %w", err)
		}
		if err := s.evict(i); err != nil {
			return err
		}
		if err := s.takeBallast(); !errors.Is(err, syscall.ENOSPC) {
			return err
		}
	}
	return nil
}

// ballastBytes is room for a few records: each takes a folder and some files of one block.
const ballastBytes = 64 << 10

func (s *Spool) ballastPath() string { return filepath.Join(s.dir, ballastFile) }

// takeBallast takes room for the declarations that a full disk needs. It does nothing when it has it. The caller holds write.
func (s *Spool) takeBallast() error {
	path := s.ballastPath()
	if n, err := s.disk.Size(path); err == nil && n == ballastBytes {
		return nil
	}
	if err := s.writeFile(path, make([]byte, ballastBytes)); err != nil {
		return errors.Join(fmt.Errorf("take ballast: %w", err), s.disk.RemoveAll(path))
	}
	return nil
}

// Tend does what can wait for a quiet moment: it sees that the ballast is there, and evicts what is too old.
func (s *Spool) Tend() error {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.opened || s.cfg.Evicted == nil {
		return nil
	}
	return errors.Join(s.takeBallast(), s.expire())
}

// expire evicts the entries from the oldest on that Config.Expired says are too old.
func (s *Spool) expire() error {
	if s.cfg.Expired == nil {
		return nil
	}
	for i := 0; i < len(s.entries); i++ {
		if s.entries[i].Evicted || s.entries[i].Bytes() == 0 {
			continue
		}
		if !s.cfg.Expired(s.entries[i]) {
			break
		}
		if err := s.evict(i); err != nil {
			return err
		}
	}
	return nil
}
