// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/motion"
)

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
