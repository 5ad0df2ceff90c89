// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

func TestNote(t *testing.T) {
	dir := t.TempDir()
	cfg := smallConfig(t.TempDir())
	s := mustOpen(t, dir, cfg)
	d, err := s.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"", "Now", "a b", "a-b", strings.Repeat("a", maxNote+1)} {
		if err := d.SetNote(word); err == nil {
			t.Errorf("note %q is taken", word)
		}
	}
	w, err := d.Part("clip")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(make([]byte, 1000))
	if err := errors.Join(err, w.Close(), d.SetNote("now"), d.SetNote("idle")); err != nil {
		t.Fatal(err)
	}
	var signed []Part
	e, err := d.Commit(func(seq uint64, prev [32]byte, parts []Part) ([]byte, error) {
		signed = parts
		return fakeRecord("clip a")(seq, prev, parts)
	})
	if err != nil || e.Note != "idle" || len(signed) != 1 {
		t.Errorf("committed: note %q, %d signed parts, %v", e.Note, len(signed), err)
	}
	mustClip(t, s, "b", make([]byte, 300)) // evicts a
	for _, again := range []bool{false, true} {
		if again {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, cfg)
		}
		if e, _ := s.Next(0); e.Note != "idle" || !e.Evicted {
			t.Errorf("opened again %v: %+v", again, e)
		}
		if e, _ := s.Next(1); e.Note != "" {
			t.Errorf("opened again %v: an entry without a note has %q", again, e.Note)
		}
	}
}

func TestRenote(t *testing.T) {
	dir := t.TempDir()
	cfg := smallConfig(t.TempDir())
	s := mustOpen(t, dir, cfg)
	e := mustClip(t, s, "a", make([]byte, 300))
	changed := s.Changed()
	for _, word := range []string{"request", "now", "now"} {
		if err := s.Renote(e.Seq, word); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-changed:
	default:
		t.Error("nobody is told")
	}
	for _, bad := range []error{s.Renote(e.Seq+1, "now"), s.Renote(e.Seq, "a b"), New(t.TempDir(), cfg).Renote(1, "now")} {
		if bad == nil {
			t.Error("noted what is not there, or no word, or in a spool that is not open")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, cfg)
	if e, _ := s.Next(0); e.Note != "now" || len(e.Parts) != 1 {
		t.Errorf("opened again: %+v", e)
	}
	if err := s.Remove(e.Seq, sha256.Sum256(e.Record)); err != nil || s.used() != 0 {
		t.Errorf("removed: %v, %d bytes are in use", err, s.used())
	}
}
