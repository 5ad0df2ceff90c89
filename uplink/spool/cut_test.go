// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The workload's spool.
const (
	cutDir     = "/state/spool"
	cutReserve = "/state/keys/reserved"
	cutQuota   = 5*cutPart + 400 // two clips of two parts and their records, not three
	cutPart    = 700             // bytes: more than a sector of 512
)

// fakeRecord signs nothing, but holds what makes a chain.
func fakeRecord(text string) SignFunc {
	return func(seq uint64, prev [32]byte, _ []Part) ([]byte, error) {
		return fmt.Appendf(nil, "%d %x %s", seq, prev, text), nil
	}
}

func cutConfig() Config {
	return Config{
		MaxBytes:    cutQuota,
		Evicted:     func(e Entry) SignFunc { return fakeRecord("evicted " + e.ID) },
		Interrupted: func(id string) SignFunc { return fakeRecord("interrupted " + id) },
		Damaged:     func(id string) SignFunc { return fakeRecord("damaged " + id) },
		StoreLost:   func() SignFunc { return fakeRecord("store lost") },
		Reserve:     cutReserve,
	}
}

// openOn opens the workload's spool on a disk of a test.
func openOn(d disk) (*Spool, error) {
	s := newSpool(cutDir, cutConfig(), d)
	return s, s.Reopen()
}

// ledger is what the world outside of the spool has been told.
type ledger struct {
	records map[uint64]string // committed, or seen after a restart
	notes   map[uint64]string // of those clips
	renoted map[uint64]string // what it is changed to, from when that was begun
	clips   map[uint64]string // ids of the committed clips that nobody began to remove
	begun   map[string]bool   // clips that were begun, and neither committed nor aborted
}

func newLedger() *ledger {
	return &ledger{map[uint64]string{}, map[uint64]string{}, map[uint64]string{}, map[uint64]string{}, map[string]bool{}}
}

// content of a part of a clip.
func content(id, part string) []byte { return bytes.Repeat([]byte(id+part), cutPart)[:cutPart] }

func (l *ledger) begin(s *Spool, id string, parts ...string) (*Draft, error) {
	d, err := s.Create(id)
	if err != nil {
		return nil, err
	}
	l.begun[id] = true
	for _, name := range parts {
		w, err := d.Part(name)
		if err != nil {
			return nil, err
		}
		b := content(id, name)
		_, err1 := w.Write(b[:70])
		_, err2 := w.Write(b[70:])
		if err := errors.Join(err1, err2, w.Close()); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (l *ledger) clip(s *Spool, id string) (uint64, error) {
	d, err := l.begin(s, id, "clip", "details")
	if err != nil {
		return 0, err
	}
	e, err := d.Commit(fakeRecord("clip " + id))
	if err != nil {
		return 0, err
	}
	delete(l.begun, id)
	l.clips[e.Seq] = id
	return e.Seq, l.note(s)
}

// spilled is a clip as a buffer writes it: in pieces, each durable, and with a note, which is changed then.
func (l *ledger) spilled(s *Spool, id string) error {
	d, err := l.begin(s, id)
	if err != nil {
		return err
	}
	var parts []Part
	for _, name := range []string{"clip", "details"} {
		b := content(id, name)
		err := errors.Join(d.Extend(name, 0, [][]byte{b[:300], b[300:600]}), d.Extend(name, 600, [][]byte{b[600:]}))
		if err != nil {
			return err
		}
		parts = append(parts, Part{name, cutPart, sha256.Sum256(b)})
	}
	d.SetParts(parts)
	if err := d.SetNote("idle"); err != nil {
		return err
	}
	e, err := d.Commit(fakeRecord("clip " + id))
	if err != nil {
		return err
	}
	delete(l.begun, id)
	l.clips[e.Seq], l.notes[e.Seq] = id, "idle"
	if err := l.note(s); err != nil {
		return err
	}
	l.renoted[e.Seq] = "now"
	if err := s.Renote(e.Seq, "now"); err != nil {
		return err
	}
	l.notes[e.Seq] = "now"
	return nil
}

// note takes down the records that are in the queue, and finds forks and gaps among all that ever were.
func (l *ledger) note(s *Spool) error {
	for e, ok := s.Next(0); ok; e, ok = s.Next(e.Seq) {
		if old, known := l.records[e.Seq]; known && old != string(e.Record) {
			return fmt.Errorf("fork: record %d was %q and is %q", e.Seq, old, e.Record)
		}
		l.records[e.Seq] = string(e.Record)
	}
	head, hash := s.Head()
	for seq, prev := uint64(1), [32]byte{}; seq <= head; seq++ {
		r, ok := l.records[seq]
		if !ok {
			return fmt.Errorf("gap: nobody saw record %d of %d", seq, head)
		}
		if want := fmt.Sprintf("%d %x ", seq, prev); !strings.HasPrefix(r, want) {
			return fmt.Errorf("fork: record %d is %q, want it to begin with %q", seq, r, want)
		}
		if prev = sha256.Sum256([]byte(r)); seq == head && prev != hash {
			return fmt.Errorf("head %d has another hash than its record", seq)
		}
	}
	if n := uint64(len(l.records)); head < n {
		return fmt.Errorf("the chain is at %d, but %d records were committed", head, n)
	}
	return nil
}

func (l *ledger) remove(s *Spool, seq uint64) error {
	e, ok := s.Next(seq - 1)
	if !ok || e.Seq != seq {
		return fmt.Errorf("entry %d is not there to be removed", seq)
	}
	delete(l.clips, seq) // from here on it may be gone
	return s.Remove(seq, sha256.Sum256(e.Record))
}

// work does all that a spool is for.
func (l *ledger) work(s *Spool, round string) error {
	a, err := l.clip(s, "a"+round)
	if err != nil {
		return err
	}
	if _, err := l.clip(s, "b"+round); err != nil {
		return err
	}
	if _, err := s.Append("", fakeRecord("loss")); err != nil {
		return err
	}
	if err := errors.Join(l.note(s), l.remove(s, a)); err != nil {
		return err
	}
	aborted, err := l.begin(s, "c"+round, "clip")
	if err != nil {
		return err
	}
	delete(l.begun, "c"+round)
	if err := aborted.Abort(); err != nil {
		return err
	}
	if err := l.spilled(s, "d"+round); err != nil {
		return err
	}
	if _, err := l.clip(s, "e"+round); err != nil { // evicts b
		return err
	}
	if _, err := l.begin(s, "f"+round, "clip"); err != nil { // is left open
		return err
	}
	for e, ok := s.Next(0); ok; e, ok = s.Next(0) {
		if err := l.remove(s, e.Seq); err != nil {
			return err
		}
	}
	_, err = l.clip(s, "g"+round)
	return err
}

// check compares a spool that was opened again with what the world knows.
func (l *ledger) check(s *Spool) error {
	if err := l.note(s); err != nil {
		return err
	}
	declared, present := map[string]bool{}, map[uint64]Entry{}
	for _, r := range l.records {
		_, text, _ := strings.Cut(r[strings.Index(r, " ")+1:], " ")
		declared[text] = true
	}
	for e, ok := s.Next(0); ok; e, ok = s.Next(e.Seq) {
		present[e.Seq] = e
	}
	for seq, id := range l.clips {
		e, ok := present[seq]
		if !ok || e.ID != id {
			return fmt.Errorf("clip %s, entry %d, was committed and is gone", id, seq)
		}
		if e.Note == l.renoted[seq] {
			l.notes[seq] = e.Note
		}
		if e.Note != l.notes[seq] {
			return fmt.Errorf("clip %s has the note %q, had %q", id, e.Note, l.notes[seq])
		}
		if e.Evicted {
			if !declared["evicted "+id] {
				return fmt.Errorf("clip %s was evicted without a word", id)
			}
			continue
		}
		if len(e.Parts) != 2 {
			return fmt.Errorf("clip %s has the parts %v", id, e.Parts)
		}
		for _, part := range []string{"clip", "details"} {
			b, err := s.disk.ReadFile(filepath.Join(s.entryDir(e), part), 1<<20)
			if err != nil || !bytes.Equal(b, content(id, part)) {
				return fmt.Errorf("%s of %s is %q, %v", part, id, b, err)
			}
		}
	}
	for id := range l.begun {
		if !declared["interrupted "+id] && !declared["clip "+id] {
			return fmt.Errorf("clip %s was cut off without a word", id)
		}
	}
	clear(l.begun)
	return nil
}

// reopen opens the folder after a crash, checks it, works on, and checks again.
func (l *ledger) reopen(d disk) error {
	for _, round := range []string{"2", "3"} {
		s, err := openOn(d)
		if err != nil {
			return err
		}
		if err := errors.Join(l.check(s), l.work(s, round)); err != nil {
			return fmt.Errorf("round %s: %w", round, err)
		}
	}
	return nil
}

// start makes the disk with the folder that the spool's own is in, which others made durable.
func start(t *testing.T) *memDisk {
	d := newMemDisk()
	if err := errors.Join(d.MkdirAll(filepath.Dir(cutDir)), d.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return d
}

// cutEverywhere does the work, ending it before every operation in turn, then hands the disk to crash; again and again, until
// power was cut so many times. It returns the first thing that is wrong after that.
func cutEverywhere(t *testing.T, cuts int, mutate func(disk) disk, crash func(*memDisk, *rand.Rand) error) (n int, err error) {
	t.Helper()
	for seed := uint64(0); n < cuts; seed++ {
		for cut, done := 0, false; !done; cut++ {
			mem, l := start(t), newLedger()
			mem.left, mem.sector = cut, []int{512, 4096}[seed%2]
			d := mutate(mem)
			s, err := openOn(d)
			if err == nil {
				err = l.work(s, "1")
			}
			if done = err == nil; !done && !errors.Is(err, errCut) {
				return n, fmt.Errorf("before the cut: %w", err)
			}
			err = crash(mem, rand.New(rand.NewPCG(uint64(cut), seed)))
			n++
			if err == nil {
				err = l.reopen(d)
			}
			if err != nil {
				return n, fmt.Errorf("cut before operation %d, seed %d: %w", cut, seed, err)
			}
		}
	}
	return n, nil
}

func powerCut(d *memDisk, rng *rand.Rand) error {
	d.powerCut(rng)
	return nil
}

func unchanged(d disk) disk { return d }

// cuts is how often the tests below cut the power: NIGHTJAR_CUTS, or some ten thousand between them.
func cuts(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("NIGHTJAR_CUTS")); err == nil {
		return n
	}
	if testing.Short() {
		return 1000
	}
	return defaultCuts
}

func TestPowerCut(t *testing.T) {
	n, err := cutEverywhere(t, cuts(t), unchanged, powerCut)
	if err != nil {
		t.Error(err)
	}
	t.Logf("cuts=%d", n)
}

// A process that is killed leaves what is seen but not durable. The next one must not build on it: here the power fails
// somewhere in its Open, or right behind it.
func TestKillThenPowerCut(t *testing.T) {
	crash := func(d *memDisk, rng *rand.Rand) error {
		d.left = rng.IntN(40)
		if _, err := openOn(d); err != nil && !errors.Is(err, errCut) {
			return err
		}
		return powerCut(d, rng)
	}
	n, err := cutEverywhere(t, cuts(t)/2, unchanged, crash)
	if err != nil {
		t.Error(err)
	}
	t.Logf("cuts=%d", n)
}
