// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/board/durable"
)

// floorEvery is how far time has to be ahead of a kept floor until it is written again: a card wears out by writing.
const floorEvery = 10 * time.Minute

// A Floor is the latest time that is known to have been, kept through a loss of power. It never goes back.
type Floor struct {
	path string
	sync func(*os.File) error // (*os.File).Sync, but in tests

	mu   sync.Mutex
	at   time.Time // the floor
	kept time.Time // what the file says
}

// OpenFloor reads the floor that is kept in the file at path; least is known without it, such as the time of the build. A file
// that is missing or damaged is as good as one that says least; the floor is of use even when the error is not nil.
func OpenFloor(path string, least time.Time) (*Floor, error) {
	f := &Floor{path: path, sync: (*os.File).Sync, at: least}
	kept, err := readFloor(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read kept time: %w", err)
	}
	f.kept = kept
	f.Raise(kept)
	return f, nil
}

func readFloor(path string) (time.Time, error) {
	file, err := os.Open(path)
	if err != nil {
		return time.Time{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 64))
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, strings.TrimSuffix(string(text), "\n"))
}

// At returns the floor. It may be called from any goroutine, as may the others.
func (f *Floor) At() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// System returns the machine's clock above the floor, wherever that is when it is asked.
func (f *Floor) System() Clock { return above{f} }

type above struct{ floor *Floor }

func (a above) Now() Wall { return System(a.floor.At()).Now() }

// Raise sets the floor to t if that is later.
func (f *Floor) Raise(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.After(f.at) {
		f.at = t.Round(0) // without the monotonic reading, which other starts of the board do not share
	}
}

// Keep raises the floor to a time that can be trusted, and writes it if the file is well behind, or always when last is set.
func (f *Floor) Keep(w Wall, last bool) error {
	if w.Quality != Synced && w.Quality != Hub {
		return nil // a clock that runs free may be years ahead: its floor would lock the camera out for good
	}
	f.Raise(w.Time)
	f.mu.Lock()
	defer f.mu.Unlock()
	if ahead := f.at.Sub(f.kept); ahead < time.Second || ahead < floorEvery && !last {
		return nil
	}
	if err := f.write(f.at.UTC().Truncate(time.Second)); err != nil {
		return fmt.Errorf("keep time: %w", err)
	}
	f.kept = f.at
	return nil
}

// write replaces the file as a whole: a cut leaves the old time or the new one.
func (f *Floor) write(t time.Time) error {
	return durable.Replace(f.path, []byte(t.Format(time.RFC3339)+"\n"), f.sync)
}
