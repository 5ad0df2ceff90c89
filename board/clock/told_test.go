// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

var built = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// boot1970 is a clock of a board that has just started without a battery. Virtual time begins in 2000, as bad as 1970.
func boot1970(t *testing.T, floor *Floor) *Told {
	t.Helper()
	return NewTold(floor, unset{})
}

type unset struct{}

func (unset) Now() Wall { return Wall{time.Now(), Unset} }

func TestToldTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		floor, err := OpenFloor(filepath.Join(t.TempDir(), "clock"), built)
		if err != nil {
			t.Fatal(err)
		}
		c := boot1970(t, floor)
		if w := c.Now(); w.Quality != Unset {
			t.Errorf("not told yet: %v", w)
		}
		hub, latest := built.Add(24*time.Hour), built.Add(60*24*time.Hour)
		// A hub that lies is not believed beyond what can be true.
		for _, lie := range []time.Time{{}, time.Unix(0, 0), built.Add(-time.Second), latest.Add(time.Second), built.AddDate(100, 0, 0)} {
			if _, err := c.Tell(lie, latest); err == nil || c.Now().Quality != Unset {
				t.Errorf("believes that it is %v: %v", lie, c.Now())
			}
		}
		step, err := c.Tell(hub, latest)
		if err != nil || step != time.Until(hub).Round(time.Millisecond) {
			t.Errorf("step %v, %v", step, err)
		}
		time.Sleep(time.Hour)
		if w := c.Now(); w.Quality != Hub || !w.Time.Equal(hub.Add(time.Hour)) {
			t.Errorf("an hour later: %v", w)
		}
		if step, err := c.Tell(hub.Add(time.Hour+time.Second), latest); step != time.Second || err != nil {
			t.Errorf("told again: step %v, %v", step, err)
		}
		// A time source is better.
		c.system = &Fake{w: Wall{hub, Synced}}
		if w := c.Now(); w != (Wall{hub, Synced}) {
			t.Errorf("synchronised: %v", w)
		}
	})
}

func TestFloorIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	open := func() *Floor {
		t.Helper()
		f, err := OpenFloor(path, built)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	writes := 0
	f := open()
	f.sync = func(file *os.File) error { writes++; return file.Sync() }
	if !f.At().Equal(built) {
		t.Errorf("floor %v before anything was kept", f.At())
	}
	// What runs free is no floor: a glitch of ten years would lock the camera out.
	if err := f.Keep(Wall{built.AddDate(10, 0, 0), Free}, true); err != nil || !open().At().Equal(built) {
		t.Errorf("floor %v by a clock that runs free, %v", open().At(), err)
	}
	at := built
	for range 60 { // an hour, minute by minute
		at = at.Add(time.Minute)
		if err := f.Keep(Wall{at, Synced}, false); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 2*6 { // file and folder
		t.Errorf("%d fsyncs in an hour", writes)
	}
	if got := open().At(); at.Sub(got) >= floorEvery || got.After(at) {
		t.Errorf("kept %v at %v", got, at)
	}
	at = at.Add(time.Minute)
	if err := f.Keep(Wall{at, Hub}, true); err != nil || !open().At().Equal(at) {
		t.Errorf("at the end: kept %v, want %v; %v", open().At(), at, err)
	}
	// It does not go back.
	if err := f.Keep(Wall{built.Add(time.Second), Synced}, true); err != nil || !f.At().Equal(at) || !open().At().Equal(at) {
		t.Errorf("went back to %v", f.At())
	}
}

func TestFloorOnABadCard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	for _, text := range []string{"", "yesterday\n", "2026-12-01T00:00:00Z and more of it, and more, and more, and more"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFloor(path, built)
		if err == nil || !f.At().Equal(built) {
			t.Errorf("%q: floor %v, %v", text, f.At(), err)
		}
		broken := errors.New("EIO")
		f.sync = func(*os.File) error { return broken }
		if err := f.Keep(Wall{built.AddDate(0, 1, 0), Synced}, true); !errors.Is(err, broken) {
			t.Errorf("a failed fsync is not told: %v", err)
		}
		f.sync = (*os.File).Sync
		if err := f.Keep(Wall{built.AddDate(0, 1, 0), Synced}, true); err != nil {
			t.Errorf("the card is well again: %v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".clock-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
