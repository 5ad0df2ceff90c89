// SPDX-License-Identifier: Apache-2.0

// Package spool keeps what the camera recorded until the hub has it: an ordered queue of entries on disk, each a signed
// record with the sealed files it speaks of. Start with [Open]; [NewBuffer] takes clips without ever waiting for the disk and
// is what a recorder writes to. Below it [Spool.Create] writes a clip, [Spool.Append] a record alone, [Spool.Next] reads,
// [Spool.Remove] forgets, [Spool.Renote] changes what this camera wants of it.
//
// An entry is there as a whole or not at all, whatever happens, and stays until it is removed or its files are evicted for
// want of room or for age, which is declared by a record of its own. What the hub has signed for is removed at once, so what
// is evicted is always something that the hub does not have. The folder holds:
//
//	tmp/ID/               a draft: clip, details, record
//	queue/SEQ-ID/         an entry: its files and record; "note" when it has one, "evicted" when its files were given up
//	head                  the last record: the chain goes on from it when the queue is empty
//	ballast               room for the records that declare what a full disk costs
//	aside/                entries that could not be read; a few, the oldest go
//
// To commit, a draft's files are fsynced, then its folder; it is renamed into the queue, and the queue is fsynced. The head is
// replaced after that, and an entry is removed only when the head on disk is at least as far.
//
// The disk may fail at any of this. What failed is done anew with new writes, never fsynced a second time: the kernel may have
// dropped the pages whose writing failed, and would report success. A number is used for one record only: once a record was
// renamed into the queue its number is taken, and nobody is shown a record before the queue is durable.
package spool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
)

// MaxRecord bounds a record, in bytes.
const MaxRecord = 16 << 10

// Names in the folder.
const (
	tmpDir      = "tmp"
	queueDir    = "queue"
	asideDir    = "aside"
	headFile    = "head"
	ballastFile = "ballast"
	recordFile  = "record"
	markerFile  = "evicted"
	noteFile    = "note"
	bareDraft   = "bare-record" // draft of an entry without files; no id has a dash
	bareNote    = "bare-note"   // a note on its way into an entry
)

// SignFunc makes the record of an entry. It gets the entry's number, the hash of the record before (zeros for the first)
// and the files. It is called under the spool's lock and must not call the spool.
type SignFunc func(seq uint64, prev [32]byte, parts []Part) (record []byte, err error)

// Config of a spool. Its functions are called under the spool's lock and must not call the spool.
type Config struct {
	// MaxBytes bounds what is on disk, in bytes: files, records, drafts; 0 means no bound.
	MaxBytes int64
	// Evicted returns the record that declares that an entry's files are given up. Without it nothing is evicted, and
	// a full spool refuses to commit.
	Evicted func(Entry) SignFunc
	// Expired tells whether an entry is too old to be kept, see [Spool.Tend]. Nil keeps all.
	Expired func(Entry) bool
	// Interrupted returns the record that declares that a draft was cut off before it was committed. Without it such
	// drafts go without a word.
	Interrupted func(id string) SignFunc
	// Damaged returns the record that declares that an entry could not be read any more; the id may be empty. Without it a
	// damaged entry is an error of Open.
	Damaged func(id string) SignFunc
	// StoreLost returns the record that declares that the chain's end was lost with the store, and with it any number of
	// entries. It needs Reserve.
	StoreLost func() SignFunc
	// Reserve is a file outside of the spool's folder, best beside the key that signs: it holds the mark up to which numbers
	// may have been used, so that a chain whose head is lost goes on above it and never uses a number twice. Empty for none:
	// a lost head is an error of Open then, if it is seen at all.
	Reserve string
}

var (
	// ErrFull is returned when an entry does not fit in MaxBytes, even after all others' files were evicted.
	ErrFull = errors.New("spool is full")
	// ErrNotOpen is returned while [Spool.Reopen] did not succeed yet.
	ErrNotOpen = errors.New("spool is not open: its disk could not be read")
	// errSign marks errors of a SignFunc: no disk is to blame.
	errSign = errors.New("sign record")
)

// Spool is an open spool. Its methods may be called from any goroutine; one process at a time may open a folder. Those that
// read do not wait for the disk.
type Spool struct {
	dir  string
	cfg  Config
	disk *meter

	write  sync.Mutex // held by whoever changes the folder, over all of the disk's delays
	unlock func() error

	// Those who hold write change these, and hold mu for as long as it takes to assign them.
	mu      sync.Mutex
	opened  bool
	entries []Entry       // in order of Seq
	bytes   int64         // of the entries' files
	records int64         // bytes of their records and notes
	drafts  int64         // bytes of drafts
	seq     uint64        // of the last record
	last    []byte        // that record; nil before the first
	queued  uint64        // number up to which the queue is durable: what is above must not be shown
	durable uint64        // number in the head file
	changed chan struct{} // closed, and made anew, when an entry is added or removed

	// Under write alone.
	floor uint64 // numbers up to this one were used by this process
	mark  uint64 // numbers up to this one are reserved
	doubt bool   // the queue's fsync failed: its changes are to be made anew
	lost  bool   // the chain's head was lost, and that is not declared yet
	aside []error
	tries int // to open it
}

// New makes a spool that is not open yet: it has no entries and takes none, until [Spool.Reopen] succeeds.
func New(dir string, cfg Config) *Spool { return newSpool(dir, cfg, osDisk{}) }

func newSpool(dir string, cfg Config, d disk) *Spool {
	return &Spool{dir: dir, cfg: cfg, disk: &meter{disk: d}, changed: make(chan struct{})}
}

// Open opens the folder, making it when it is missing, and clears what a crash left: drafts are declared and go; the
// chain's head is taken from the queue where it is ahead of the head file; entries that cannot be read are set aside.
func Open(dir string, cfg Config) (*Spool, error) {
	s := New(dir, cfg)
	if err := s.Reopen(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reopen opens a spool that is not open. It may be tried until it succeeds, while others use the spool.
func (s *Spool) Reopen() error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.opened {
		return nil
	}
	s.tries++
	if s.unlock == nil && s.disk.disk == (osDisk{}) {
		unlock, err := lock(s.dir)
		if err != nil {
			return fmt.Errorf("open spool %s: %w", s.dir, err)
		}
		s.unlock = unlock
	}
	if err := s.recover(); err != nil {
		err = fmt.Errorf("open spool %s: %w", s.dir, err)
		return errors.Join(err, s.release())
	}
	s.set(func() { s.opened = true })
	return nil
}

// Vanished closes the spool when its folder is gone, as after another card was put in, and tells whether that is so. Reopen makes
// it anew, above the numbers that were used.
func (s *Spool) Vanished() bool {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.opened {
		return false
	}
	if _, err := s.disk.ReadDir(filepath.Join(s.dir, queueDir)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	s.floor = max(s.floor, s.seq)
	s.set(func() { s.opened = false })
	// On the new card are drafts of what is still in memory, which is no loss; what cannot be removed is declared as one.
	_ = s.disk.RemoveAll(filepath.Join(s.dir, tmpDir))
	_ = s.release() // of a folder that is not there
	return true
}

// Opened tells whether the spool could be opened.
func (s *Spool) Opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// Close gives the folder up. No other method may be running or be called after it.
func (s *Spool) Close() error { return s.release() }

func (s *Spool) release() error {
	if s.unlock == nil {
		return nil
	}
	unlock := s.unlock
	s.unlock = nil
	return unlock()
}

// set changes what others may read meanwhile, and tells those who wait. The caller holds write.
func (s *Spool) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Append commits a record without files. The id names what it is about and may be empty. An error that comes with an entry
// is as of [Draft.Commit].
func (s *Spool) Append(id string, sign SignFunc) (Entry, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.opened {
		return Entry{}, ErrNotOpen
	}
	return s.append(id, sign)
}

// append commits an entry without files. The caller holds write, so that one such draft lives at a time.
func (s *Spool) append(id string, sign SignFunc) (Entry, error) {
	if err := s.sure(); err != nil { // also because the record in doubt goes by the same draft
		return Entry{}, err
	}
	d, err := s.create(id, bareDraft)
	if err != nil {
		return Entry{}, err
	}
	e, err := s.commit(d, sign)
	if err != nil && e.Seq == 0 {
		return e, errors.Join(err, d.Abort())
	}
	return e, err
}

// hash is of the last record; zeros before the first. The caller holds a lock.
func (s *Spool) hash() (sum [32]byte) {
	if s.last != nil {
		sum = sha256.Sum256(s.last)
	}
	return sum
}

func (s *Spool) entryDir(e Entry) string {
	return filepath.Join(s.dir, queueDir, entryName(e.Seq, e.ID))
}
