// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"
)

// countdown is a film in which the first sample of frame n is n.
func countdown(t *testing.T, frames int) string {
	return writeY4M(t, filepath.Join(t.TempDir(), "n.y4m"), 34, 18, frames, func(n, _, _ int) byte { return byte(n) })
}

// played returns which frames a stretch shows.
func played(t *testing.T, s Stretch) (seen []int, last time.Duration) {
	t.Helper()
	r, err := s.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := r.film()
	for {
		frame, err := f.Next()
		if err == io.EOF {
			return seen, last
		}
		if err != nil || frame.N != len(seen) {
			t.Fatal(frame.N, err)
		}
		seen, last = append(seen, int(frame.Plane.Pix[0])), frame.PTS
		frame.Plane.Pix[0] = 255 // as a hardship does: it must not stay
	}
}

func TestStretch(t *testing.T) {
	path := countdown(t, 8)
	for _, c := range []struct {
		s    Stretch
		want string
		last time.Duration
	}{
		{Stretch{To: -1}, "[0 1 2 3 4 5 6 7]", 700 * time.Millisecond},
		{Stretch{From: 2, To: 4}, "[2 3 4]", 200 * time.Millisecond},
		{Stretch{From: 2, To: 4, FPS: 20}, "[2 3 4]", 100 * time.Millisecond},
		{Stretch{From: 2, To: 4, Length: time.Second}, "[2 3 4]", 200 * time.Millisecond},
		{Stretch{From: 2, To: -1, Length: 300 * time.Millisecond}, "[2 3 4]", 200 * time.Millisecond},
		{Stretch{From: 2, To: 4, Swing: true, Length: time.Second}, "[2 3 4 3 2 3 4 3 2 3]", 900 * time.Millisecond},
		{Stretch{From: 5, To: 5, Swing: true, Length: 300 * time.Millisecond}, "[5 5 5]", 200 * time.Millisecond},
	} {
		c.s.Path = path
		if seen, last := played(t, c.s); fmt.Sprint(seen) != c.want || last != c.last {
			t.Errorf("%+v shows %v to %v, want %s to %v", c.s, seen, last, c.want, c.last)
		}
	}
	if seen, last := played(t, Stretch{Path: path, To: -1, Swing: true}); len(seen) != 160 || last != 15900*time.Millisecond {
		t.Errorf("without a length it swings for %d frames to %v, want 16 s", len(seen), last)
	}
	// Two films of a reel do not disturb each other.
	r, err := Stretch{Path: path, To: -1}.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.film(), r.film()
	x, _ := a.Next()
	y, _ := b.Next()
	x.Plane.Pix[0] = 9
	if y.Plane.Pix[0] != 0 || errors.Join(a.Close(), b.Close()) != nil {
		t.Error("two films share their samples")
	}
	for _, s := range []Stretch{{From: -1}, {From: 3, To: 2}, {Length: -1}, {From: 2, To: 8}, {From: 8, To: -1}, {FPS: -1},
		{To: -1, Length: time.Millisecond}, {To: -1, Swing: true, Length: 999999 * time.Hour}} {
		s.Path = path
		if _, err := s.load(t.Context()); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
