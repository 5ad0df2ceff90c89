// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

// errCut is what every call gets once the store is dead.
var errCut = errors.New("cut")

// A cutter ends a store's life ahead of its n-th call to the disk, and knows what a power cut would take
// then: the content of files that were not synced, and renames whose folder was not.
type cutter struct {
	n, calls int
	skip     skip
	unsynced map[string]bool
	renames  [][2]string // from, to
}

// A skip names the calls to leave out, to see a defence missed.
type skip func(call string, paths []string) bool

func (c *cutter) before(call string, paths ...string) error {
	last := ""
	if len(paths) > 0 {
		last = paths[len(paths)-1]
	}
	if call == "check" || call == "make room" {
		return nil // the calls within them count
	}
	if c.calls++; c.calls >= c.n {
		return errCut
	}
	if c.skip != nil && c.skip(call, paths) {
		return errSkip
	}
	switch call {
	case "write":
		c.unsynced[last] = true
	case "sync":
		delete(c.unsynced, last)
	case "rename":
		from := paths[0]
		c.unsynced[last] = c.unsynced[from]
		delete(c.unsynced, from)
		c.renames = append(c.renames, [2]string{from, last})
	case "syncdir":
		c.renames = slices.DeleteFunc(c.renames, func(r [2]string) bool { return filepath.Dir(r[1]) == last })
	}
	return nil
}

// loseUnsynced does to the folder what a power cut may do at worst.
func (c *cutter) loseUnsynced(t *testing.T) {
	t.Helper()
	for path, lost := range c.unsynced {
		if info, err := os.Stat(path); lost && err == nil {
			// Lengths are often on disk before the content is: zeros, as long as the file was.
			if err := os.WriteFile(path, make([]byte, info.Size()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, r := range slices.Backward(c.renames) {
		// The folder that it came from may be gone by then; the file is gone all the same.
		if err := os.Rename(r[1], r[0]); err != nil {
			os.Remove(r[1])
		}
	}
}

// life runs a fresh store that a cut ends ahead of its n-th call, and afterwards an undisturbed one in
// the same folder, while a camera announces three clips, and sends one, the record of one that it evicts, the
// third, and the loss record. It returns what went wrong, and whether the cut came at all.
func life(t *testing.T, n int, power bool, skip skip) (wrong []string, cutCame bool) {
	t.Helper()
	dir := folder(t)
	c := camera.New("porch")
	clip, gone := c.Clip(blob(2500, 1), blob(700, 2)), c.Clip(blob(900, 3), blob(30, 4))
	entries := []camera.Entry{clip, gone, c.Clip(blob(1800, 5), blob(90, 6)), c.Loss(record.Evicted, gone.ID())}

	cut := &cutter{n: n, skip: skip, unsynced: map[string]bool{}}
	receipted, told := 0, 0
	run := func(d disk) error {
		s, err := open(t.Context(), dir, config(t), d)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Add(archive.About{ID: "porch", Identity: c.Public(), Enrolled: camera.Start}); err != nil {
			return err
		}
		for ; told < len(entries); told++ {
			e := entries[told]
			st, err := announce(t.Context(), s, e)
			if errors.Is(err, ErrHash) {
				st, err = announce(t.Context(), s, e)
			}
			if err != nil {
				return err
			}
			if st.Details != int64(len(e.Details)) {
				return fmt.Errorf("record %d: %d bytes of its details are here", e.Seq, st.Details)
			}
		}
		for _, e := range entries[receipted:] {
			evicted := e.Clip != nil && e.ID() == gone.ID()
			st, err := send(t.Context(), s, e, evicted)
			if errors.Is(err, ErrHash) { // what a power cut left of a body: the camera sends it again
				st, err = send(t.Context(), s, e, evicted)
			}
			if err != nil {
				return err
			}
			if st.Receipt == nil {
				return fmt.Errorf("no receipt for record %d", e.Seq)
			}
			receipted++
		}
		return nil
	}
	err := run(disk{before: cut.before})
	if err != nil && !errors.Is(err, errCut) {
		return []string{err.Error()}, true
	}
	if power {
		cut.loseUnsynced(t)
	}
	cutCame = err != nil
	promised := receipted // these the camera has deleted
	wrong = append(wrong, check(t, dir, promised, false)...)
	wrong = append(wrong, shown(t, dir, entries[:told])...)
	if err := run(disk{}); err != nil {
		return append(wrong, err.Error()), cutCame
	}
	return append(wrong, check(t, dir, len(entries), true)...), cutCame
}

// announce does what a camera does whose link is too slow for bodies: offer, then details, and the question whether they are here.
func announce(ctx context.Context, s *Store, e camera.Entry) (State, error) {
	if e.Clip == nil {
		return State{}, nil
	}
	st, err := s.Offer(ctx, e.Device, e.JWS, false)
	if err == nil && st.Receipt == nil && st.Details < e.Clip.Details.Size {
		_, _, err = s.Write(ctx, e.Device, e.ID(), Details, st.Details, e.Details[st.Details:])
	}
	if err != nil {
		return st, err
	}
	return s.OfferHeld(ctx, e.Device, e.JWS, false, "idle")
}

// shown says which of the clips that a camera was told are here with record and details are not to be seen.
func shown(t *testing.T, dir string, told []camera.Entry) (wrong []string) {
	t.Helper()
	a, err := archive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range told {
		if e.Clip == nil {
			continue
		}
		d, err := a.Device("porch")
		if err != nil {
			return []string{err.Error()}
		}
		path := d.DetailsPath(e.ID())
		arriving, err := d.Arriving()
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		for _, a := range arriving {
			if a.Seq == e.Seq && string(a.JWS) == string(e.JWS) {
				path = a.DetailsPath
			}
		}
		if sum, err := sumFile(path); err != nil || sum != e.Clip.Details.SHA256 {
			wrong = append(wrong, fmt.Sprintf("the details of record %d are not to be seen: %v", e.Seq, err))
		}
	}
	return wrong
}

// check says what is wrong with a store that gave receipts for the records up to promised. A store at
// rest has nothing else in it; one that was cut may have a clip on its way to commit.
func check(t *testing.T, dir string, promised int, rest bool) (wrong []string) {
	t.Helper()
	a, err := archive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := a.Device("porch")
	if errors.Is(err, archive.ErrNoDevice) && promised == 0 {
		return nil // cut while it was added
	}
	if err != nil {
		return []string{err.Error()}
	}
	r, err := d.Verify(t.Context())
	if err != nil {
		return []string{err.Error()}
	}
	if r.Records < promised || rest && r.Records > promised {
		wrong = append(wrong, fmt.Sprintf("%d records are stored, %d were receipted", r.Records, promised))
	}
	for _, p := range r.Problems {
		undeclared := p.Fault == archive.Missing && p.Seq == 2 && !rest // its loss record is yet to come
		if p.Fault == archive.Stray && !rest || undeclared {
			continue
		}
		wrong = append(wrong, p.String())
	}
	left, _ := filepath.Glob(filepath.Join(archive.IncomingDir(dir, "*"), "*"))
	if rest && len(left) > 0 {
		wrong = append(wrong, fmt.Sprintf("left in incoming: %q", left))
	}
	return wrong
}

// TestCuts kills the store, and cuts its power, ahead of every single call it makes to the disk. What
// it receipted is there, whole, and the camera's next try stores all the rest exactly once.
func TestCuts(t *testing.T) {
	for _, power := range []bool{false, true} {
		t.Run(fmt.Sprintf("power=%v", power), func(t *testing.T) {
			t.Parallel()
			n := 1
			for ; ; n++ {
				wrong, came := life(t, n, power, nil)
				for _, w := range wrong {
					t.Errorf("cut ahead of call %d: %s", n, w)
				}
				if !came || t.Failed() {
					break
				}
			}
			t.Logf("cuts=%d", n-1)
			if n < 60 {
				t.Errorf("only %d calls were cut", n-1)
			}
		})
	}
}

// TestCutsAreNoticed takes the store's defences away one at a time: some cut must then do harm.
func TestCutsAreNoticed(t *testing.T) {
	sync := func(file string) func() skip {
		return func() skip {
			return func(call string, paths []string) bool { return call == "sync" && filepath.Base(paths[0]) == file }
		}
	}
	syncDir := func(folder string) func() skip {
		return func() skip {
			return func(call string, paths []string) bool { return call == "syncdir" && filepath.Base(paths[0]) == folder }
		}
	}
	for _, row := range []struct {
		name    string
		without func() skip
		power   bool
	}{
		{"bodies are not synced", sync("clip"), true},
		{"records are not synced", sync("record.tmp"), true},
		{"details are not synced", sync("details"), true},
		{"the folder of what arrives is not synced", arrivalNotSynced, true},
		{"the clips folder is not synced", syncDir("clips"), true},
		{"the records folder is not synced", syncDir("records"), true},
		{"the record comes before the bodies", recordFirst, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				wrong, came := life(t, n, row.power, row.without())
				if len(wrong) > 0 {
					t.Logf("cut ahead of call %d: %s", n, wrong[0])
					return
				}
				if !came {
					t.Fatal("no cut does harm without this defence: TestCuts proves nothing about it")
				}
			}
		})
	}
}

// arrivalNotSynced leaves out the fsync of the folders that the names of incoming records are in.
func arrivalNotSynced() skip {
	return func(call string, paths []string) bool {
		return call == "syncdir" && strings.Contains(paths[0], archive.IncomingDir("", "porch"))
	}
}

// recordFirst holds the bodies' renames back until the record has been renamed.
func recordFirst() skip {
	var held [][]string
	release := false
	return func(call string, paths []string) bool {
		if release {
			for _, r := range held {
				os.Rename(r[0], r[1])
			}
			held, release = nil, false
		}
		if call != "rename" {
			return false
		}
		if strings.HasSuffix(paths[1], ".age") {
			held = append(held, paths)
			return true
		}
		release = filepath.Base(filepath.Dir(paths[1])) == "records"
		return false
	}
}
