// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

// tear does to the folder what a power cut may do: of what was not synced some sectors, or pages, are there,
// the rest reads as zeros or is cut off, and each rename whose folder was not synced happened or did not.
func (c *cutter) tear(t *testing.T, rng *rand.Rand) {
	t.Helper()
	for path, lost := range c.unsynced {
		b, err := os.ReadFile(path)
		if !lost || err != nil {
			continue
		}
		block := []int{512, 4096}[rng.IntN(2)]
		for at := 0; at < len(b); at += block {
			if rng.IntN(2) == 0 {
				clear(b[at:min(at+block, len(b))])
			}
		}
		if rng.IntN(3) == 0 {
			b = b[:rng.IntN(len(b)+1)]
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range slices.Backward(c.renames) {
		if rng.IntN(2) == 0 {
			continue
		}
		if err := os.Rename(r[1], r[0]); err != nil {
			os.Remove(r[1])
		}
	}
}

// A tale is a camera with what it has to send, and a hub that is cut again and again.
type tale struct {
	rng       *rand.Rand
	dir       string
	cam       *camera.Camera
	entries   []camera.Entry
	evicted   map[uint64]bool
	receipted int
	cuts      int
	skip      skip
}

func newTale(t *testing.T, seed uint64, without skip) *tale {
	rng := rand.New(rand.NewPCG(seed, 1))
	a := &tale{rng: rng, dir: folder(t), cam: camera.New("porch"), evicted: map[uint64]bool{}, skip: without}
	for range 1 + rng.IntN(4) {
		e := a.cam.Clip(blob(rng.IntN(9000), byte(seed)), blob(rng.IntN(1200), byte(seed+1)))
		a.entries = append(a.entries, e)
		if rng.IntN(4) == 0 {
			a.evicted[e.Seq] = true
			a.entries = append(a.entries, a.cam.Loss(record.Evicted, e.ID()))
		}
	}
	return a
}

// live runs the store until the camera has all receipts or the disk says no more.
func (a *tale) live(t *testing.T, d disk, retention Retention) error {
	s, err := open(t.Context(), a.dir, config(t), d)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Add(archive.About{ID: "porch", Identity: a.cam.Public(), Enrolled: camera.Start}); err != nil {
		return err
	}
	for _, e := range a.entries[a.receipted:] {
		st, err := send(t.Context(), s, e, a.evicted[e.Seq])
		for range 2 { // the details may be torn, and the clip, each is found for itself
			if errors.Is(err, ErrHash) {
				st, err = send(t.Context(), s, e, a.evicted[e.Seq])
			}
		}
		if err != nil {
			return err
		}
		if st.Receipt == nil {
			return fmt.Errorf("no receipt for record %d", e.Seq)
		}
		a.receipted++
	}
	_, err = s.Retain(t.Context(), retention, camera.Start.Add(1000*time.Hour))
	return err
}

// tell cuts the store's power one to three times, at any call, and returns what is wrong afterwards.
func (a *tale) tell(t *testing.T) (wrong []string) {
	retention := Retention{DeviceBytes: int64(a.rng.IntN(20_000))}
	for range 1 + a.rng.IntN(3) {
		cut := &cutter{n: 1 + a.rng.IntN(120), skip: a.skip, unsynced: map[string]bool{}}
		err := a.live(t, disk{before: cut.before}, retention)
		if err == nil {
			break // all of it came through before the cut
		}
		if !errors.Is(err, errCut) {
			return append(wrong, err.Error())
		}
		a.cuts++
		cut.tear(t, a.rng)
		wrong = append(wrong, a.look(t, false)...)
	}
	if err := a.live(t, disk{}, retention); err != nil {
		return append(wrong, err.Error())
	}
	return append(wrong, a.look(t, true)...)
}

// look verifies: what is missing was declared, by the camera or by a tombstone.
func (a *tale) look(t *testing.T, rest bool) (wrong []string) {
	t.Helper()
	s, err := archive.Open(a.dir)
	if err != nil {
		return []string{err.Error()}
	}
	d, err := s.Device("porch")
	if errors.Is(err, archive.ErrNoDevice) && a.receipted == 0 {
		return nil
	}
	if err != nil {
		return []string{err.Error()}
	}
	r, err := d.Verify(t.Context())
	if err != nil {
		return []string{err.Error()}
	}
	if r.Records < a.receipted || rest && r.Records != len(a.entries) {
		wrong = append(wrong, fmt.Sprintf("%d records are stored, %d of %d receipted", r.Records, a.receipted, len(a.entries)))
	}
	for _, p := range r.Problems {
		undeclared := p.Fault == archive.Missing && a.evicted[p.Seq] && r.Head == p.Seq // its loss record is yet to come
		if p.Fault == archive.Stray && !rest || undeclared {
			continue
		}
		wrong = append(wrong, p.String())
	}
	if left, _ := filepath.Glob(filepath.Join(a.dir, "incoming", "*", "*")); rest && len(left) > 0 {
		wrong = append(wrong, fmt.Sprintf("left in incoming: %q", left))
	}
	return wrong
}

// TestRandomCuts cuts the power of stores at random, as often as NIGHTJAR_CUTS says, with torn sectors and
// pages, during recovery too.
func TestRandomCuts(t *testing.T) {
	want := 60
	if text := os.Getenv("NIGHTJAR_CUTS"); text != "" {
		var err error
		if want, err = strconv.Atoi(text); err != nil {
			t.Fatalf("NIGHTJAR_CUTS=%s: %v", text, err)
		}
	}
	first := rand.Uint64()
	cuts, clips := 0, 0
	for seed := first; cuts < want; seed++ {
		ok := t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			a := newTale(t, seed, nil)
			for _, w := range a.tell(t) {
				t.Error(w)
			}
			cuts += a.cuts
			clips += len(a.entries)
		})
		if !ok {
			return
		}
	}
	t.Logf("cuts=%d records=%d lost=0 seed=%d", cuts, clips, first)
}

func TestRandomCutsMutant(t *testing.T) {
	for name, without := range map[string]skip{
		"bodies are not synced":               func(call string, p []string) bool { return call == "sync" && filepath.Base(p[0]) == "clip" },
		"records are not synced":              func(call string, p []string) bool { return call == "sync" && filepath.Base(p[0]) == "record.tmp" },
		"tombstones' folder is not synced":    func(call string, p []string) bool { return call == "syncdir" && filepath.Base(p[0]) == "tombstones" },
		"the folder of clips is not synced":   func(call string, p []string) bool { return call == "syncdir" && filepath.Base(p[0]) == "clips" },
		"the folder of records is not either": func(call string, p []string) bool { return call == "syncdir" && filepath.Base(p[0]) == "records" },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2000) {
				if wrong := newTale(t, seed, without).tell(t); len(wrong) > 0 {
					t.Logf("seed %d: %s", seed, wrong[0])
					return
				}
			}
			t.Error("no cut does harm without this defence: TestRandomCuts proves nothing about it")
		})
	}
}
