// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Part is a file of an entry.
type Part struct {
	Name   string
	Size   int64
	SHA256 [32]byte // known to the SignFunc; zero in an entry that was read back from disk
}

// Entry is a committed record with its files. It is a copy: what the spool does later does not show in it.
type Entry struct {
	Seq     uint64
	ID      string
	Record  []byte // not to be changed
	Parts   []Part
	Evicted bool   // the files were given up
	Note    string // for this camera's own use, see [Draft.SetNote]; not signed

	spool *Spool
	draft string // the name it had as one; empty after it was read back
}

// Bytes is the size of the entry's files together.
func (e Entry) Bytes() int64 { return total(e.Parts) }

// overhead is what the entry takes beside its files, in bytes.
func (e Entry) overhead() int64 { return int64(len(e.Record) + len(e.Note)) }

func total(parts []Part) (n int64) {
	for _, p := range parts {
		n += p.Size
	}
	return n
}

// Open opens a file of the entry for reading. It is gone when the entry was removed or evicted meanwhile.
func (e Entry) Open(part string) (*os.File, error) {
	f, err := os.Open(filepath.Join(e.spool.entryDir(e), part))
	if err != nil {
		return nil, fmt.Errorf("read entry %d: %w", e.Seq, err)
	}
	return f, nil
}

// Next returns the first entry whose number is above after. An entry that is not durable yet, because the disk failed when it
// was committed, is not shown: the hub would know a record that a power cut takes away, and whose number is signed again.
func (s *Spool) Next(after uint64) (Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := slices.BinarySearchFunc(s.entries, after, func(e Entry, seq uint64) int { return cmp.Compare(e.Seq, seq) })
	if found {
		i++
	}
	if !s.opened || i == len(s.entries) || s.entries[i].Seq > s.queued {
		return Entry{}, false
	}
	return s.entries[i], true
}

// Changed returns a channel that is closed when the next entry is committed or removed. Get it before looking with Next.
func (s *Spool) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Head returns number and hash of the last record that was committed; 0 and zeros before the first.
func (s *Spool) Head() (seq uint64, hash [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seq, s.hash()
}

// Usage tells how many entries wait, and how many bytes their files have, without records and drafts.
func (s *Spool) Usage() (entries int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries), s.bytes
}

// Remove forgets an entry. The hash of its record has to be given: an answer about another record of that number must not
// remove this one. Removing an entry that is not there does nothing.
func (s *Spool) Remove(seq uint64, recordHash [32]byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	if !s.opened {
		return fmt.Errorf("remove entry %d: %w", seq, ErrNotOpen)
	}
	i := slices.IndexFunc(s.entries, func(e Entry) bool { return e.Seq == seq })
	if i < 0 {
		return nil
	}
	e := s.entries[i]
	if sha256.Sum256(e.Record) != recordHash {
		return fmt.Errorf("remove entry %d: it has another record", seq)
	}
	// A chain that forgot its head would sign another record of this number.
	if s.durable < seq {
		if err := s.settle(); err != nil {
			return fmt.Errorf("remove entry %d: %w", seq, err)
		}
	}
	// Renamed first, durably: a removal that is cut in the middle must not look like an entry that lost a file.
	gone := filepath.Join(s.dir, tmpDir, removedPrefix+entryName(e.Seq, e.ID))
	if err := s.disk.Rename(s.entryDir(e), gone); err != nil {
		return fmt.Errorf("remove entry %d: %w", seq, err)
	}
	s.set(func() {
		s.entries = slices.Delete(s.entries, i, i+1)
		s.bytes -= e.Bytes()
		s.records -= e.overhead()
	})
	err := s.disk.SyncDir(filepath.Join(s.dir, queueDir))
	if err == nil {
		err = s.disk.RemoveAll(gone)
	}
	if err != nil {
		return fmt.Errorf("remove entry %d: %w", seq, err)
	}
	return nil
}

// Renote changes the note of an entry, durably. After an error it may have either note on disk; it is asked anew then. An entry that
// is not there is an error.
func (s *Spool) Renote(seq uint64, word string) error {
	if !validNote(word) {
		return fmt.Errorf("note entry %d: %.80q must be 1 to %d of a-z and 0-9", seq, word, maxNote)
	}
	s.write.Lock()
	defer s.write.Unlock()
	if !s.opened {
		return fmt.Errorf("note entry %d: %w", seq, ErrNotOpen)
	}
	i := slices.IndexFunc(s.entries, func(e Entry) bool { return e.Seq == seq })
	if i < 0 || seq > s.queued {
		return fmt.Errorf("note entry %d: it is not there", seq)
	}
	if s.entries[i].Note == word {
		return nil
	}
	// Among the drafts a file that a cut leaves is cleared away; in the entry it would be a part.
	dir, written := s.entryDir(s.entries[i]), filepath.Join(s.dir, tmpDir, bareNote)
	err := s.writeFile(written, []byte(word))
	if err == nil {
		err = s.disk.Rename(written, filepath.Join(dir, noteFile))
	}
	if err == nil {
		err = s.disk.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("note entry %d: %w", seq, err)
	}
	s.set(func() {
		s.records += int64(len(word) - len(s.entries[i].Note))
		s.entries[i].Note = word
	})
	return nil
}

// maxNote bounds a note, in bytes.
const maxNote = 32

// validNote tells whether a word may be a note.
func validNote(word string) bool { return len(word) <= maxNote && validName(word) }

// removedPrefix marks folders in tmp that are leftovers of a removal, not drafts.
const removedPrefix = "removed-"

// entryName sorts by number as text does.
func entryName(seq uint64, id string) string { return fmt.Sprintf("%020d-%s", seq, id) }

func parseEntryName(name string) (seq uint64, id string, err error) {
	number, id, ok := strings.Cut(name, "-")
	seq, err = strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || seq == 0 || entryName(seq, id) != name || id != "" && !validName(id) {
		return 0, "", fmt.Errorf("%q is not the name of an entry", name)
	}
	return seq, id, nil
}
