// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
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

// The suite on a still room: whoever changes the detector sees at once what else changed.
func TestTry(t *testing.T) {
	path := writeY4M(t, filepath.Join(t.TempDir(), "still.y4m"), 128, 96, 2, still)
	s := Stretch{Path: path, To: -1, Swing: true}
	trials, err := s.Try(t.Context(), motion.DefaultConfig(), []string{"shake:amp=0", "person:from=3,to=4,height=0.9", "lamp"})
	if err != nil {
		t.Fatal(err)
	}
	if a := trials[0]; a.FalseEvents != 0 || !a.Hit || *a.Late > 1.5 || a.Beyond {
		t.Errorf("nothing hard: %+v", a)
	}
	if trials[1].Hardship != "person:from=3,to=4,height=0.9" || !trials[2].Beyond {
		t.Errorf("trials are %+v", trials)
	}
	// Who is blind sees nobody.
	blind := motion.DefaultConfig()
	blind.MinArea = 1
	trials, err = s.Try(t.Context(), blind, []string{"rain night"})
	if err != nil || trials[0].Hit || trials[0].Late != nil || trials[0].FalseEvents != 0 {
		t.Errorf("blind: %+v, %v", trials, err)
	}
	var b strings.Builder
	late := 0.25
	if err := WriteTrials(&b, append(trials, Trial{Hardship: "snow", FalseEvents: 2, Hit: true, Late: &late})); err != nil {
		t.Fatal(err)
	}
	const want = "hardship    false events  person  late\nrain night  0             missed  -\nsnow        2             hit     0.25s\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if _, err := s.Try(t.Context(), blind, []string{"fog"}); err == nil {
		t.Error("fog is taken")
	}
	s.Swing = false
	if _, err := s.Try(t.Context(), blind, []string{"snow"}); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("two frames: %v", err)
	}
	if _, err := (Stretch{Path: "none.avi"}).Try(t.Context(), blind, nil); err == nil {
		t.Error("a film that is not there")
	}
	blind.Window = 0
	s.Swing = true
	if _, err := s.Try(t.Context(), blind, []string{"snow"}); err == nil {
		t.Error("a window of 0")
	}
}

// A lamp that a detector takes for a thing is a false event, and one event however long.
func TestFalseEventsAreCounted(t *testing.T) {
	path := writeY4M(t, filepath.Join(t.TempDir(), "passing.y4m"), 128, 96, 60, passing)
	s := Stretch{Path: path, To: -1, Swing: true} // there from 3 to 5 s, back from 6.8 to 8.8, again from 14.8
	trials, err := s.Try(t.Context(), motion.DefaultConfig(), []string{"shake:amp=0"})
	if err != nil || trials[0].FalseEvents != 3 {
		t.Errorf("%+v, %v; want three passers-by", trials, err)
	}
}

func TestSuite(t *testing.T) {
	specs, split := Suite()
	if _, err := Harden(append(slices.Clone(specs), Passer)); err != nil {
		t.Error(err)
	}
	if len(specs) != 22 || fmt.Sprint(specs[split:]) != "[lamp headlights clouds]" {
		t.Errorf("%d specs, beyond the list %v", len(specs), specs[split:])
	}
}

func TestScoreVerdicts(t *testing.T) {
	folder, err := OpenFolder(films6s(t), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Choose([]string{"passing"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := strings.Repeat("0", 33) + "\n" + strings.Repeat("1 ", 17) + strings.Repeat("0\r\n", 7) + "100"
	write(t, dir, "passing.txt", text)
	outcomes, err := folder.ScoreVerdicts(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Tally{Present: 20, Empty: 13, Found: 17, False: 1, Events: 1, Hit: 1, FalseEvents: 1,
		FalseTime: 100 * time.Millisecond, Late: 300 * time.Millisecond, Latest: 300 * time.Millisecond}
	if len(outcomes) != 1 || outcomes[0].Tally != want || outcomes[0].Moving != 18 {
		t.Errorf("got %+v, want %+v", outcomes, want)
	}
	for text, want := range map[string]string{"01": "2 verdicts on a film of 60", "0x": "byte 1 is 'x'"} {
		write(t, dir, "passing.txt", text)
		if _, err := folder.ScoreVerdicts(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := folder.ScoreVerdicts(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "passing.txt") {
		t.Errorf("no file: %v", err)
	}
}
