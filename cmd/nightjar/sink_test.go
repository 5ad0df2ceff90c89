// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123_456_789, time.UTC)

// newTestSink returns a sink over a spool in a folder, and the owner's identity.
func newTestSink(t *testing.T, dir string) (s *sink, owner []age.Identity, end func()) {
	t.Helper()
	identity, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	recipient, err := seal.GenerateOwner(&file, noon)
	if err != nil {
		t.Fatal(err)
	}
	owner, err = seal.Identities(&file)
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := seal.Recipients(strings.NewReader(recipient))
	if err != nil {
		t.Fatal(err)
	}
	fake := &clock.Fake{}
	fake.Set(clock.Wall{Time: noon, Quality: clock.Synced})
	s = &sink{device: "porch", boot: "boot", identity: identity, recipients: recipients, clock: fake, log: slog.New(slog.DiscardHandler)}
	s.upload = &upload{clock: fake}
	s.journal = newJournal(s)
	return s, owner, openSpool(t, s, dir)
}

// flush waits until everything is on the disk.
func flush(t *testing.T, s *sink) {
	t.Helper()
	if err := s.buffer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// openSpool opens the sink's spool and runs its buffer; the result ends both.
func openSpool(t *testing.T, s *sink, dir string) (end func()) {
	t.Helper()
	cfg := config.Spool{MaxBytes: 4 << 20, MemoryBytes: 8 << 20, MaxAge: 24 * time.Hour}
	if err := s.openSpool(filepath.Join(dir, "spool"), dir, cfg, false); err != nil {
		t.Fatal(err)
	}
	sp, buffer := s.spool, s.buffer
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- buffer.Run(ctx) }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		sp.Close()
	})
	t.Cleanup(end)
	return end
}

var start = clip.Start{
	ID: strings.Repeat("ab", 16), Wall: clock.Wall{Time: noon, Quality: clock.Synced}, PTS: 5 * time.Second, Width: 640, Height: 360,
}

// chain verifies all records in the spool and returns them.
func chain(t *testing.T, s *sink) (records []record.Record) {
	t.Helper()
	c := record.NewChain(s.device, s.identity.Public())
	for e, ok := s.spool.Next(0); ok; e, ok = s.spool.Next(e.Seq) {
		r, err := c.Next(e.Record)
		if err != nil {
			t.Fatalf("record %d: %v", e.Seq, err)
		}
		records = append(records, r)
	}
	return records
}

func TestSinkSealsAndSigns(t *testing.T) {
	s, owner, _ := newTestSink(t, t.TempDir())
	out, err := s.Create(start)
	if err != nil {
		t.Fatal(err)
	}
	film := bytes.Repeat([]byte("a film that nobody else may see "), 10_000)
	if _, err := out.Write(film); err != nil {
		t.Fatal(err)
	}
	summary := clip.Summary{
		Start: start, Duration: 9 * time.Second, PreRoll: 2 * time.Second, Frames: 90, Dropped: 1, Peak: 0.5, Why: "motion",
		Zones: []string{"gate"}, ContactSheet: []byte("sheet"),
		Track: []clip.Sample{{Offset: time.Second, Score: 0.5, Boxes: []motion.Box{{X0: 0.1, Y0: 0.2, X1: 0.3, Y1: 0.4}}}},
	}
	if err := out.Commit(summary); err != nil {
		t.Fatal(err)
	}

	flush(t, s)
	records := chain(t, s)
	if len(records) != 1 || records[0].Clip == nil {
		t.Fatalf("records: %+v", records)
	}
	c := records[0].Clip
	if c.ID != start.ID || c.DurationUS != 9e6 || c.PreRollUS != 2e6 || c.Frames != 90 || c.Dropped != 1 || c.Quality != "synced" {
		t.Errorf("record: %+v", c)
	}
	entry, _ := s.spool.Next(0)
	if got := open(t, entry, partBody, c.Body, owner); !bytes.Equal(got, film) {
		t.Errorf("the film opens to %d other bytes", len(got))
	}
	d, err := seal.ParseDetails(bytes.NewReader(open(t, entry, partDetails, c.Details, owner)))
	if err != nil {
		t.Fatal(err)
	}
	if d.Clip != start.ID || d.PTSUS != 5e6 || d.Trigger != "motion" || d.Zones[0] != "gate" || d.Track[0].Boxes[0] != [4]float64{0.1, 0.2, 0.3, 0.4} || string(d.ContactSheet) != "sheet" {
		t.Errorf("details: %+v", d)
	}
}

// open checks a part of an entry against its record and opens its seal.
func open(t *testing.T, e spool.Entry, name string, want record.Part, owner []age.Identity) []byte {
	t.Helper()
	f, err := e.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sealed, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	sum := record.Hash(sealed)
	if want.Size != int64(len(sealed)) || want.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%s: record says %+v, there are %d bytes of %x", name, want, len(sealed), sum)
	}
	r, err := seal.Open(bytes.NewReader(sealed), owner)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestSinkDeclaresLosses(t *testing.T) {
	dir := t.TempDir()
	s, _, end := newTestSink(t, dir)
	out, err := s.Create(start)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Abort(errors.New("encoder broke")); err != nil {
		t.Fatal(err)
	}
	s.Lost(clip.Loss{Reason: clip.LostEncoder, Clip: start.ID, From: start.Wall, To: start.Wall, Frames: 7})

	// The agent ends in the middle of the next clip.
	if _, err := s.Create(start); err != nil {
		t.Fatal(err)
	}
	end()
	openSpool(t, s, dir)

	records := chain(t, s)
	if len(records) != 2 {
		t.Fatalf("%d records, want 2: %+v", len(records), records)
	}
	for i, want := range []record.Loss{
		{Reason: record.Encoder, Clip: start.ID, From: instant(noon), To: instant(noon), Frames: 7},
		{Reason: record.Interrupted, Clip: start.ID, From: instant(noon), To: instant(noon)},
	} {
		if got := records[i].Loss; got == nil || *got != want {
			t.Errorf("loss %d is %+v, want %+v", i, got, want)
		}
	}
}

// A full spool gives up the oldest film, and says so before.
func TestSinkDeclaresEviction(t *testing.T) {
	s, _, _ := newTestSink(t, t.TempDir())
	for i := range 3 {
		this := start
		this.ID = strings.Repeat("0", 31) + string(rune('a'+i))
		out, err := s.Create(this)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(make([]byte, 1<<20+1<<19)); err != nil {
			t.Fatal(err)
		}
		if err := out.Commit(clip.Summary{Start: this}); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, s)
	var lost []string
	for _, r := range chain(t, s) {
		if r.Loss != nil && r.Loss.Reason == record.Evicted {
			lost = append(lost, r.Loss.Clip)
		}
	}
	if len(lost) != 1 || lost[0] != strings.Repeat("0", 31)+"a" {
		t.Errorf("declared as evicted: %q, want the first", lost)
	}
}
