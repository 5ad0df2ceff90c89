// SPDX-License-Identifier: Apache-2.0

// Package spool keeps what the camera recorded until the hub has it: an ordered queue of entries on disk, each a signed
// record with the sealed files it speaks of. Start with [Open]; [Spool.Create] writes a clip, [Spool.Append] a record alone,
// [Spool.Next] reads, [Spool.Remove] forgets.
//
// An entry is there as a whole or not at all, whatever happens, and stays until it is removed or its files are evicted for
// want of room, which is declared by a record of its own. The folder holds:
//
//	tmp/ID/               a draft: clip, details, record
//	queue/SEQ-ID/         an entry: its files and record; "note" when it has one, "evicted" when its files were given up
//	head                  the last record: the chain goes on from it when the queue is empty
//
// To commit, a draft's files are fsynced, then its folder; it is renamed into the queue, and the queue is fsynced. The head is
// replaced after that, and an entry is removed only when the head on disk is at least as far.
package spool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
)

// MaxRecord bounds a record, in bytes.
const MaxRecord = 16 << 10

// Names in the folder.
const (
	tmpDir     = "tmp"
	queueDir   = "queue"
	headFile   = "head"
	recordFile = "record"
	markerFile = "evicted"
	noteFile   = "note"
	bareDraft  = "bare-record" // draft of an entry without files; no id has a dash
)

// SignFunc makes the record of an entry. It gets the entry's number, the hash of the record before (zeros for the first)
// and the files. It is called under the spool's lock and must not call the spool.
type SignFunc func(seq uint64, prev [32]byte, parts []Part) (record []byte, err error)

// Config of a spool.
type Config struct {
	MaxBytes int64 // of all entries' files; 0 means no bound
	// Evicted returns the record that declares that an entry's files are given up. Without it nothing is evicted, and
	// a full spool refuses to commit. Like every SignFunc, it must not call the spool.
	Evicted func(Entry) SignFunc
	// Interrupted returns the record that declares that a draft was cut off before it was committed. Without it such
	// drafts go without a word.
	Interrupted func(id string) SignFunc
}

// ErrFull is returned when an entry does not fit in MaxBytes, even after all others' files were evicted.
var ErrFull = errors.New("spool is full")

// Spool is an open spool. Its methods may be called from any goroutine; one process at a time may open a folder.
type Spool struct {
	dir  string
	cfg  Config
	disk disk

	mu      sync.Mutex
	entries []Entry       // in order of Seq
	bytes   int64         // of the entries' files
	seq     uint64        // of the last record
	last    []byte        // that record; nil before the first
	queued  uint64        // number up to which the queue is durable: what is above must not be shown
	durable uint64        // number in the head file
	changed chan struct{} // closed, and made anew, when an entry is added or removed

	unlock func() error // gives the folder up
}

// Open opens the folder, making it when it is missing, and clears what a crash left: drafts are declared and go; the
// chain's head is taken from the queue where it is ahead of the head file.
func Open(dir string, cfg Config) (*Spool, error) {
	unlock, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	s, err := open(dir, cfg, osDisk{})
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	s.unlock = unlock
	return s, nil
}

// Close gives the folder up. No other method may be running or be called after it.
func (s *Spool) Close() error { return s.unlock() }

func open(dir string, cfg Config, d disk) (*Spool, error) {
	s := &Spool{dir: dir, cfg: cfg, disk: d, changed: make(chan struct{})}
	if err := s.recover(); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	return s, nil
}

// Append commits a record without files. The id names what it is about and may be empty.
func (s *Spool) Append(id string, sign SignFunc) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(id, sign)
}

// append commits an entry without files. The caller holds the lock, so that one such draft lives at a time.
func (s *Spool) append(id string, sign SignFunc) (Entry, error) {
	d, err := s.create(id, bareDraft)
	if err != nil {
		return Entry{}, err
	}
	e, err := s.commit(d, sign)
	if err != nil {
		return e, errors.Join(err, d.Abort())
	}
	return e, nil
}

// commit signs the record, makes the draft an entry and advances the head. The caller holds the lock.
func (s *Spool) commit(d *Draft, sign SignFunc) (Entry, error) {
	seq := s.seq + 1
	record, err := sign(seq, s.hash(), d.parts)
	if err != nil {
		return Entry{}, err
	}
	if len(record) == 0 || len(record) > MaxRecord {
		return Entry{}, fmt.Errorf("record of %d bytes, must have 1 to %d", len(record), MaxRecord)
	}
	if err := s.writeFile(filepath.Join(d.dir, recordFile), record); err != nil {
		return Entry{}, err
	}
	if err := s.disk.SyncDir(d.dir); err != nil {
		return Entry{}, err
	}
	e := Entry{Seq: seq, ID: d.id, Record: record, Parts: d.parts, Note: d.note, spool: s}
	if err := s.disk.Rename(d.dir, s.entryDir(e)); err != nil {
		return Entry{}, err
	}
	// The number is used from here on, whatever fails below: what is in the queue may be there after a crash, too.
	s.seq, s.last = seq, record
	s.entries = append(s.entries, e)
	s.bytes += e.Bytes()
	s.signal()
	return e, s.settle()
}

// settle makes the queue durable and then the head, which must not run ahead of it. The caller holds the lock.
func (s *Spool) settle() error {
	if err := s.disk.SyncDir(filepath.Join(s.dir, queueDir)); err != nil {
		return fmt.Errorf("make entry %d durable: %w", s.seq, err)
	}
	s.queued = s.seq
	if err := s.writeHead(); err != nil {
		return fmt.Errorf("advance the chain's head: %w", err)
	}
	return nil
}

// hash is of the last record; zeros before the first. The caller holds the lock.
func (s *Spool) hash() (sum [32]byte) {
	if s.last != nil {
		sum = sha256.Sum256(s.last)
	}
	return sum
}

// signal tells those who wait that the queue changed. The caller holds the lock.
func (s *Spool) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// makeRoom evicts the files of the oldest entries until need bytes fit. The caller holds the lock.
func (s *Spool) makeRoom(need int64) error {
	if s.cfg.MaxBytes == 0 || need == 0 {
		return nil
	}
	if need > s.cfg.MaxBytes || s.bytes+need > s.cfg.MaxBytes && s.cfg.Evicted == nil {
		return fmt.Errorf("%w: %d bytes of %d are used, %d more are needed", ErrFull, s.bytes, s.cfg.MaxBytes, need)
	}
	for i := 0; s.bytes+need > s.cfg.MaxBytes && i < len(s.entries); i++ {
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
	s.bytes -= e.Bytes()
	s.entries[i].Evicted, s.entries[i].Parts = true, nil
	for _, p := range e.Parts {
		if err := s.disk.RemoveAll(filepath.Join(s.entryDir(e), p.Name)); err != nil {
			return fmt.Errorf("evict entry %d: %w", e.Seq, err)
		}
	}
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

// writeHead replaces the head file, durably.
func (s *Spool) writeHead() error {
	path := filepath.Join(s.dir, headFile)
	if err := s.writeFile(path+".new", encodeHead(s.seq, s.last)); err != nil {
		return err
	}
	if err := s.disk.Rename(path+".new", path); err != nil {
		return err
	}
	if err := s.disk.SyncDir(s.dir); err != nil {
		return err
	}
	s.durable = s.seq
	return nil
}

func (s *Spool) entryDir(e Entry) string {
	return filepath.Join(s.dir, queueDir, entryName(e.Seq, e.ID))
}
