// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

// arriving are the numbers of the records that the owner sees arrive.
func arriving(t *testing.T, s *Store) (seqs []uint64) {
	t.Helper()
	d, err := s.Archive().Device("porch")
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Arriving()
	if err != nil {
		t.Error(err)
	}
	for _, a := range all {
		seqs = append(seqs, a.Seq)
	}
	return seqs
}

// A clip whose body is on the camera is seen, has its place in the chain, and is neither stored nor receipted.
func TestArriving(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	clips := []camera.Entry{c.Clip(blob(500, 1), blob(120, 2)), c.Clip(blob(600, 3), nil), c.Clip(blob(700, 4), blob(50, 5))}
	for _, e := range clips {
		if st, err := announce(t.Context(), s, e); err != nil || st.Receipt != nil || st.Details != int64(len(e.Details)) {
			t.Fatalf("record %d: %+v, %v", e.Seq, st, err)
		}
	}
	if _, _, err := s.Write(t.Context(), "porch", clips[2].ID(), Body, 0, clips[2].Body[:100]); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also after a restart
		d, _ := s.Archive().Device("porch")
		all, err := d.Arriving()
		if err != nil || len(all) != 3 {
			t.Fatalf("%d clips arrive: %v", len(all), err)
		}
		for i, a := range all {
			details, err := os.ReadFile(a.DetailsPath)
			if a.Seq != uint64(i+1) || string(a.JWS) != string(clips[i].JWS) || string(details) != string(clips[i].Details) || err != nil {
				t.Errorf("clip %d arrives as %+v, details %q, %v", i, a, details, err)
			}
			if want := []int64{0, 0, 100}[i]; a.Received != want {
				t.Errorf("%d bytes of clip %d are here, want %d", a.Received, i, want)
			}
		}
		if r := verify(t, s, "porch"); !r.OK() || r.Records != 0 || r.Clips != 0 || r.Arriving != 3 || r.Head != 3 {
			t.Errorf("report %+v", r)
		}
		s = reopen(t, s)
	}
	// Stored in any order, and nobody misses a record.
	for i, n := range []int{1, 0, 2} {
		if st, err := send(t.Context(), s, clips[n], false); err != nil || st.Receipt == nil {
			t.Fatalf("%+v, %v", st, err)
		}
		if r := verify(t, s, "porch"); !r.OK() || r.Records != i+1 || r.Clips != i+1 || r.Arriving != 2-i {
			t.Errorf("report %+v", r)
		}
	}
	wantStored(t, s, "porch", 3, 3)
}

// The owner keeps the details of a clip whose body the camera gave up.
func TestDetailsOutliveEviction(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(500, 1), blob(120, 2))
	if _, err := announce(t.Context(), s, e); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	for _, e := range []camera.Entry{e, c.Loss(record.Evicted, e.ID())} {
		if st, err := send(t.Context(), s, e, e.Clip != nil); err != nil || st.Receipt == nil {
			t.Fatalf("%+v, %v", st, err)
		}
	}
	wantStored(t, s, "porch", 2, 0)
	d, _ := s.Archive().Device("porch")
	if sum, err := sumFile(d.DetailsPath(e.ID())); err != nil || sum != e.Clip.Details.SHA256 {
		t.Errorf("details: %s, %v", sum, err)
	}
}

// The reason that holds a clip back is the one of the last offer.
func TestHold(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(500, 1), blob(120, 2))
	if _, err := announce(t.Context(), s, e); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"", "request", "idle", "idle", "", "never"} {
		if st, err := s.OfferHeld(t.Context(), "porch", e.JWS, false, word); err != nil || st.Details != 120 {
			t.Fatalf("%+v, %v", st, err)
		}
		s = reopen(t, s)
		d, _ := s.Archive().Device("porch")
		if all, err := d.Arriving(); err != nil || len(all) != 1 || all[0].Hold != word {
			t.Errorf("arriving %+v, %v, want %q", all, err, word)
		}
	}
	if _, err := send(t.Context(), s, e, false); err != nil {
		t.Fatal(err)
	}
	wantStored(t, s, "porch", 1, 1)
}

// without returns a store that leaves out some calls to its disk.
func without(t *testing.T, c *camera.Camera, cfg Config, left skip) *Store {
	t.Helper()
	s, err := open(t.Context(), t.TempDir(), cfg, disk{before: func(call string, paths ...string) error {
		if left(call, paths) {
			return errSkip
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	add(t, s, c)
	return s
}

func nothing(string, []string) bool { return false }

// wrongDetails announces a clip with other details than its record says, and returns the error and whether the clip is shown.
func wrongDetails(t *testing.T, left skip) (err error, shown bool) {
	c := camera.New("porch")
	s := without(t, c, config(t), left)
	e := c.Clip(blob(500, 1), blob(120, 2))
	right := e.Details
	e.Details = blob(120, 3)
	_, err = announce(t.Context(), s, e)
	shown = len(arriving(t, s)) > 0
	e.Details = right
	if _, err := announce(t.Context(), s, e); err != nil || len(arriving(t, s)) != 1 {
		t.Errorf("right details: %v", err)
	}
	return err, shown
}

// Details that are not what the record says are never shown.
func TestWrongDetailsDoNotArrive(t *testing.T) {
	if err, shown := wrongDetails(t, nothing); !errors.Is(err, ErrHash) || shown {
		t.Errorf("wrong details: %v, shown %v", err, shown)
	}
}

func TestWrongDetailsDoNotArriveMutant(t *testing.T) {
	unchecked := func(call string, _ []string) bool { return call == "check" }
	if err, shown := wrongDetails(t, unchecked); err != nil || !shown {
		t.Errorf("without the check: %v, shown %v; the test above proves nothing", err, shown)
	}
}

// arriveOfSix announces six clips with 100 bytes of details each and returns the numbers of those that are shown.
func arriveOfSix(t *testing.T, change func(*Config), left skip) []uint64 {
	c := camera.New("porch")
	cfg := config(t)
	change(&cfg)
	s := without(t, c, cfg, left)
	var entries []camera.Entry
	for i := range 6 {
		e := c.Clip(blob(100, byte(i)), blob(100, byte(i)))
		entries = append(entries, e)
		if _, err := announce(t.Context(), s, e); err != nil {
			t.Fatal(err)
		}
		age(t, s, e, 10-i)
	}
	seqs := arriving(t, s)
	if n := len(s.devices["porch"].partials); n > cfg.MaxPartials {
		t.Errorf("%d clips are in memory", n)
	}
	for _, e := range entries {
		if _, err := send(t.Context(), s, e, false); err != nil {
			t.Fatal(err)
		}
	}
	if r := verify(t, s, "porch"); !r.OK() || r.Clips != 6 {
		t.Errorf("in the end: %+v", r)
	}
	return seqs
}

var arrivalBounds = map[string]struct {
	change func(*Config)
	want   []uint64
}{
	"by count": {func(c *Config) { c.MaxArriving = 4 }, []uint64{3, 4, 5, 6}},
	"by bytes": {func(c *Config) { c.MaxArrivingBytes = 399 }, []uint64{4, 5, 6}},
}

// Offers without end fill neither disk nor memory: the oldest give way.
func TestArrivingIsBounded(t *testing.T) {
	for name, row := range arrivalBounds {
		if got := arriveOfSix(t, row.change, nothing); !slices.Equal(got, row.want) {
			t.Errorf("%s: records %v arrive, want %v", name, got, row.want)
		}
	}
}

func TestArrivingIsBoundedMutant(t *testing.T) {
	for name, row := range arrivalBounds {
		endless := func(call string, _ []string) bool { return call == "make room" }
		if got := arriveOfSix(t, row.change, endless); len(got) != 6 {
			t.Errorf("%s, without making room: records %v arrive; the test above proves nothing", name, got)
		}
	}
}

// Of bodies that are begun and never finished the oldest go; what the owner sees of the clip stays.
func TestBegunBodiesAreBounded(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	var entries []camera.Entry
	for i := range 5 {
		e := c.Clip(blob(100, byte(i)), blob(10, byte(i)))
		entries = append(entries, e)
		if _, err := announce(t.Context(), s, e); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Write(t.Context(), "porch", e.ID(), Body, 0, e.Body[:50]); err != nil {
			t.Fatal(err)
		}
		age(t, s, e, 10-i)
	}
	d, _ := s.Archive().Device("porch")
	all, err := d.Arriving()
	if err != nil || len(all) != 5 {
		t.Fatalf("%d clips arrive: %v", len(all), err)
	}
	for i, a := range all {
		if begun := i >= 5-config(t).MaxPartials; begun != (a.Received > 0) {
			t.Errorf("%d bytes of clip %d are here", a.Received, i)
		}
	}
	// A body that went while the camera sends it is asked for again.
	if _, _, err := s.Write(t.Context(), "porch", entries[0].ID(), Body, 50, entries[0].Body[50:]); !errors.Is(err, ErrNotOffered) {
		t.Errorf("chunk of a body that went: %v", err)
	}
	for _, e := range entries {
		if _, err := send(t.Context(), s, e, false); err != nil {
			t.Fatal(err)
		}
	}
	wantStored(t, s, "porch", 5, 5)
}

// age makes what is here of a clip older: the tests are faster than the clock of a file system.
func age(t *testing.T, s *Store, e camera.Entry, minutes int) {
	t.Helper()
	dir := filepath.Join(s.incoming("porch"), hash(e.JWS))
	at := time.Now().Add(-time.Duration(minutes) * time.Minute)
	for _, path := range []string{filepath.Join(dir, archive.ArrivingClip), dir} {
		if err := os.Chtimes(path, at, at); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// What the folder of arriving clips holds beside them is named, and hides nothing.
func TestForeignArrivals(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(10, 1), blob(10, 2))
	if _, err := announce(t.Context(), s, e); err != nil {
		t.Fatal(err)
	}
	for name, jws := range map[string][]byte{"a": []byte("junk"), "b": e.JWS, "c": camera.New("porch").Clip(nil, nil).JWS} {
		dir := filepath.Join(s.incoming("porch"), name)
		err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, archive.ArrivingRecord), jws, 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	d, _ := s.Archive().Device("porch")
	all, err := d.Arriving()
	if err == nil || len(all) != 1 || all[0].Seq != 1 {
		t.Errorf("%d clips arrive, %v", len(all), err)
	}
	r := verify(t, s, "porch")
	if r.Arriving != 1 || fmt.Sprint(len(r.Problems), r.Problems[0].Fault) != "1unsigned" {
		t.Errorf("report %+v", r)
	}
}

// arriveOnBadDisk announces clips to a store whose disk fails every change from its n-th call on, heals it, and announces and sends
// them again. It returns what is wrong, and whether the disk failed at all.
func arriveOnBadDisk(t *testing.T, n int, left skip) (wrong []string, failed bool) {
	t.Helper()
	c := camera.New("porch")
	s := newStore(t, c)
	defer s.Close()
	clips := []camera.Entry{c.Clip(blob(500, 1), blob(120, 2)), c.Clip(blob(600, 3), nil), c.Clip(blob(700, 4), blob(50, 5))}
	calls, bad := 0, true
	s.disk.before = func(call string, paths ...string) error {
		if call == "check" || call == "make room" {
			return nil // the calls within them count
		}
		if left(call, paths) {
			return errSkip
		}
		if calls++; bad && calls >= n && call != "remove" {
			failed = true
			return unix.ENOSPC
		}
		return nil
	}
	announceAll := func() (told []camera.Entry) {
		for _, e := range clips {
			if st, err := announce(t.Context(), s, e); err == nil && st.Details == int64(len(e.Details)) {
				told = append(told, e)
			}
		}
		return told
	}
	wrong = shown(t, s.dir, announceAll())
	bad = false
	if told := announceAll(); len(told) != len(clips) {
		wrong = append(wrong, fmt.Sprintf("healed, and %d of %d clips arrive", len(told), len(clips)))
	} else {
		wrong = append(wrong, shown(t, s.dir, told)...)
	}
	for _, e := range clips {
		if st, err := send(t.Context(), s, e, false); err != nil || st.Receipt == nil {
			wrong = append(wrong, fmt.Sprintf("record %d is not stored: %v", e.Seq, err))
		}
	}
	return append(wrong, check(t, s.dir, len(clips), true)...), failed
}

// On a disk that fails at any call no device is told that its details are seen when they are not, and it heals without a restart.
func TestArrivingOnBadDisk(t *testing.T) {
	n := 1
	for ; ; n++ {
		wrong, failed := arriveOnBadDisk(t, n, nothing)
		for _, w := range wrong {
			t.Errorf("from call %d on: %s", n, w)
		}
		if !failed || t.Failed() {
			break
		}
	}
	if n < 20 {
		t.Errorf("only %d calls failed", n-1)
	}
}

// A store that forgets to put the record beside the details is found out.
func TestArrivingOnBadDiskMutant(t *testing.T) {
	wrong, _ := arriveOnBadDisk(t, 1000, func(call string, paths []string) bool {
		return call == "rename" && filepath.Base(paths[1]) == archive.ArrivingRecord
	})
	if len(wrong) == 0 {
		t.Error("what is told and not seen is not noticed: the test above proves nothing")
	}
}
