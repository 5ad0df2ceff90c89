// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// commit records a clip of some bytes.
func commit(t *testing.T, s *sink, id string, at clock.Wall) {
	t.Helper()
	this := start
	this.ID, this.Wall = id, at
	out, err := s.Create(this)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte("film")); err != nil {
		t.Fatal(err)
	}
	if err := out.Commit(clip.Summary{Start: this}); err != nil {
		t.Fatal(err)
	}
}

// reasons are the losses in the chain.
func reasons(t *testing.T, s *sink) (all []string) {
	t.Helper()
	for _, r := range chain(t, s) {
		if r.Loss != nil {
			all = append(all, r.Loss.Reason)
		}
	}
	return all
}

// A card that cannot be read at start keeps nobody from recording; what was recorded is on it once it can be.
func TestSinkStartsWithoutCard(t *testing.T) {
	dir := t.TempDir()
	card := filepath.Join(dir, "spool")
	if err := os.WriteFile(card, nil, 0o600); err != nil { // no folder: nothing can be opened in it
		t.Fatal(err)
	}
	s, _, _ := newTestSink(t, dir)
	commit(t, s, start.ID, start.Wall)
	if s.spool.Opened() || s.buffer.Status().Items != 1 {
		t.Errorf("the spool is open, or the clip is not waiting: %+v", s.buffer.Status())
	}
	if err := os.Remove(card); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if records := chain(t, s); len(records) != 1 || records[0].Clip == nil {
		t.Errorf("records: %+v", records)
	}
}

func TestSinkRefusesSecondAgent(t *testing.T) {
	dir := t.TempDir()
	s, _, _ := newTestSink(t, dir)
	second := *s
	err := second.openSpool(filepath.Join(dir, "spool"), dir, config.Spool{MaxBytes: 1 << 20, MemoryBytes: 1 << 20}, false)
	if !errors.Is(err, spool.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
}

// A store that is lost is declared, and its numbers are not used again.
func TestSinkDeclaresLostStore(t *testing.T) {
	dir := t.TempDir()
	s, _, end := newTestSink(t, dir)
	commit(t, s, start.ID, start.Wall)
	flush(t, s)
	end()
	if err := os.RemoveAll(filepath.Join(dir, "spool")); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&text, nil))
	openSpool(t, s, dir)
	e, ok := s.spool.Next(0)
	if !ok || e.Seq == 1 {
		t.Fatalf("the chain goes on at %d", e.Seq)
	}
	r, err := record.Verify(s.identity.Public(), e.Record)
	if err != nil || r.Loss == nil || r.Loss.Reason != record.StoreLost {
		t.Errorf("record %+v, %v", r, err)
	}
	if !strings.Contains(text.String(), "storage-damaged") {
		t.Errorf("the log says %q", text.String())
	}
}

// Age counts while the clock is right, then and now.
func TestSinkExpires(t *testing.T) {
	s, _, _ := newTestSink(t, t.TempDir())
	old := noon.Add(-48 * time.Hour)
	for i, at := range []clock.Wall{{Time: old, Quality: clock.Synced}, {Time: old, Quality: clock.Free}, {Time: noon, Quality: clock.Synced}} {
		commit(t, s, strings.Repeat("0", 31)+string(rune('1'+i)), at)
	}
	flush(t, s)
	fake := s.clock.(*clock.Fake)
	for _, tt := range []struct {
		now  clock.Wall
		want []bool
	}{
		{clock.Wall{Time: noon, Quality: clock.Free}, []bool{false, false, false}},
		{clock.Wall{Time: noon, Quality: clock.Synced}, []bool{true, false, false}},
	} {
		fake.Set(tt.now)
		i := 0
		for e, ok := s.spool.Next(0); ok && i < len(tt.want); e, ok = s.spool.Next(e.Seq) { // the task may have declared one already
			if got := s.expired(e, 24*time.Hour); got != tt.want[i] {
				t.Errorf("clock %s: clip %d expired %v", tt.now.Quality, i, got)
			}
			if s.expired(e, 0) {
				t.Errorf("clip %d expires without a bound", i)
			}
			i++
		}
	}
	if err := s.spool.Tend(); err != nil {
		t.Error(err)
	}
	if got := reasons(t, s); len(got) != 1 || got[0] != record.Evicted {
		t.Errorf("losses: %q", got)
	}
}

// Clips that the memory could not hold are declared, with the names that the record has for it.
func TestSinkDeclaresWhatMemoryCouldNotHold(t *testing.T) {
	dir := t.TempDir()
	card := filepath.Join(dir, "spool")
	if err := os.WriteFile(card, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, _ := newTestSink(t, dir)
	for i := range 6 {
		this := start
		this.ID = strings.Repeat("0", 31) + string(rune('1'+i))
		out, err := s.Create(this)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(make([]byte, 3<<20)); err != nil {
			t.Fatal(err)
		}
		if err := out.Commit(clip.Summary{Start: this}); err != nil {
			t.Fatal(err)
		}
	}
	given := s.buffer.Status().GivenUp
	if err := os.Remove(card); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	var storage int
	for _, r := range reasons(t, s) {
		if r == record.Storage {
			storage++
		}
	}
	if given == 0 || storage != given {
		t.Errorf("%d clips were given up, %d declared", given, storage)
	}
}

// Trouble is told with its code, and its end.
func TestSinkTellsTrouble(t *testing.T) {
	var text bytes.Buffer
	s := &sink{log: slog.New(slog.NewTextHandler(&text, nil))}
	s.buffer = spool.NewBuffer(spool.New(t.TempDir(), spool.Config{}), spool.BufferConfig{Memory: 1 << 20})
	s.trouble(spool.Trouble{Code: spool.TroubleReadOnly, Err: syscall.EROFS})
	s.trouble(spool.Trouble{})
	for _, want := range []string{"level=ERROR", "code=storage-read-only", "level=INFO", "code=storage-ok"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in %q", want, text.String())
		}
	}
}
