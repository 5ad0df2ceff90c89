// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/motion/lab/hardship"
)

// frames reads a row of signs: one frame each, true where it is not a dot.
func frames(s string) (all []bool) {
	for _, c := range s {
		all = append(all, c != '.')
	}
	return all
}

func clock(n int, step time.Duration) (times []time.Duration) {
	for i := range n {
		times = append(times, time.Duration(i)*step)
	}
	return times
}

// Each case was counted by hand; a frame lasts 100 ms.
func TestTally(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name, present, scored, motion string
		want                          Tally
	}{
		{"late and long",
			"....pppp....",
			"ssssssssssss",
			"......mmmm..",
			Tally{Present: 4, Empty: 8, Found: 2, False: 2, Events: 1, Hit: 1, FalseTime: 200 * ms, Late: 200 * ms, Latest: 200 * ms}},
		{"the tail is not scored",
			"....pppp....",
			"ssssssss..ss",
			"....mmmmmm..",
			Tally{Present: 4, Empty: 6, Found: 4, Events: 1, Hit: 1}},
		{"one missed, one hit, a false one",
			"pp....pp....",
			"ssssssssssss",
			".......m.mm.",
			Tally{Present: 4, Empty: 8, Found: 1, False: 2, Events: 2, Hit: 1, FalseEvents: 1, FalseTime: 200 * ms, Late: 100 * ms, Latest: 100 * ms}},
		{"two false ones, one in frames that are not scored, the last frame",
			"............",
			"ssss....ssss",
			"m.m..mm....m",
			Tally{Empty: 8, False: 3, FalseEvents: 3, FalseTime: 300 * ms}},
		{"too early is no false event",
			"...ppp....",
			"ssssssssss",
			".mmmm.....",
			Tally{Present: 3, Empty: 7, Found: 2, False: 2, Events: 1, Hit: 1, FalseTime: 200 * ms}},
		{"nothing moves",
			"ppp...",
			"ssssss",
			"......",
			Tally{Present: 3, Empty: 3, Events: 1}},
		{"an event hit before it is scored",
			"pppp..",
			"..ssss",
			"m.....",
			Tally{Present: 2, Empty: 2, Events: 1, Hit: 1}},
	} {
		tr := truth{present: frames(c.present), scored: frames(c.scored)}
		tr.events = runs(tr.present)
		if got := tr.tally(clock(len(c.motion), 100*ms), frames(c.motion)); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestRatios(t *testing.T) {
	c := Tally{Present: 40, Found: 30, Empty: 200, False: 10, Events: 3, Hit: 2, Late: 3 * time.Second, Latest: 2 * time.Second}
	for what, pair := range map[string][2]float64{
		"recall": {c.Recall(), 0.75}, "precision": {c.Precision(), 0.75}, "F1": {c.F1(), 0.75}, "FPR": {c.FPR(), 0.05},
		"mean late": {c.MeanLate().Seconds(), 1.5},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
	c.Add(Tally{Present: 60, Found: 10, False: 50, Empty: 100, Hit: 1, Late: time.Second, Latest: 5 * time.Second, FalseTime: time.Second})
	// 40 found of 100, 60 false: precision 0.4, F1 2*40/(100+100).
	if c.Recall() != 0.4 || c.Precision() != 0.4 || c.F1() != 0.4 || c.FPR() != 0.2 || c.Latest != 5*time.Second || c.FalseTime != time.Second {
		t.Errorf("the sum is %+v", c)
	}
	none := Outcome{Labelled: true}
	row := none.Row()
	if !math.IsNaN(none.F1()) || row.Recall != nil || row.Precision != nil || row.F1 != nil || row.FPR != nil || row.MeanLate != nil {
		t.Errorf("ratios of nothing are %+v, want null", row)
	}
}

// scored and present, as signs: p present, e empty, - present and not scored, . not scored.
func signs(t truth) string {
	s := make([]byte, len(t.present))
	for i := range s {
		switch {
		case t.present[i] && t.scored[i]:
			s[i] = 'p'
		case t.present[i]:
			s[i] = '-'
		case t.scored[i]:
			s[i] = 'e'
		default:
			s[i] = '.'
		}
	}
	return string(s)
}

// At 4 frames a second the margins are 2 frames before and 4 after; the first 100 frames are cut off here.
func TestTruthOfEvents(t *testing.T) {
	person, err := hardship.Parse("person:from=26.5,to=27.5")
	if err != nil {
		t.Fatal(err)
	}
	rows := []row{{frame: 100, valid: true, foreground: -1}, {frame: 101, present: true, valid: true, foreground: -1}, {frame: 102, present: true, foreground: -1}, {frame: 500, present: true, valid: true}}
	counted := []row{{frame: 100, foreground: 0, valid: true}, {frame: 101, foreground: 4, valid: true}, {frame: 102, foreground: 5, valid: true}, {frame: 103, foreground: 900}}
	for _, c := range []struct {
		name    string
		scene   Scene
		effects []hardship.Effect
		want    string
		events  string
	}{
		{"events", Scene{Events: [][2]int{{104, 106}}}, nil, "ee..ppp....eeeeeeeee", "[[104 106]]"},
		{"region", Scene{EventsROI: [][2]int{{104, 106}}, ROI: &[4]int{0, 0, 1, 1}}, nil, "ee..ppp....eeeeeeeee", "[[104 106]]"},
		{"close together", Scene{Events: [][2]int{{102, 103}, {106, 107}}}, nil, "..pp..pp....eeeeeeee", "[[102 103] [106 107]]"},
		{"in the opening", Scene{Events: [][2]int{{90, 101}}}, nil, "pp....eeeeeeeeeeeeee", "[[90 101]]"},
		{"before anything is scored", Scene{Events: [][2]int{{9, 19}}}, nil, "eeeeeeeeeeeeeeeeeeee", "[]"},
		{"beyond the end", Scene{Events: [][2]int{{117, 130}, {200, 210}}}, nil, "eeeeeeeeeeeeeee..ppp", "[[117 119]]"},
		{"empty", Scene{Empty: true}, nil, "eeeeeeeeeeeeeeeeeeee", "[]"},
		{"csv", Scene{Events: [][2]int{{104, 106}}, rows: rows}, nil, "ep-.................", "[]"},
		{"csv without a list", Scene{rows: rows}, nil, "ep-.................", "[[101 102]]"},
		{"foreground", Scene{rows: counted}, nil, "e.p-................", "[[102 103]]"},
		{"ignored", Scene{Events: [][2]int{{104, 106}}, Ignore: [][2]int{{106, 113}, {118, 200}}}, nil, "ee..pp-.......eeee..", "[[104 106]]"},
		{"an event ignored", Scene{Events: [][2]int{{104, 106}}, Ignore: [][2]int{{104, 106}}}, nil, "ee..---....eeeeeeeee", "[]"},
		{"nothing known", Scene{}, nil, "....................", "[]"},
		{"a person in an empty film", Scene{Empty: true}, []hardship.Effect{person}, "eeee..pppp....eeeeee", "[[106 109]]"},
		{"a person in a film without labels", Scene{}, []hardship.Effect{person}, "......pppp..........", "[[106 109]]"},
	} {
		tr := c.scene.truth(clock(120, 250*time.Millisecond), 1000, c.effects)
		if got := signs(tr)[100:]; got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if got := fmt.Sprint(tr.events); got != c.events {
			t.Errorf("%s: events %v, want %v", c.name, got, c.events)
		}
	}
	// An empty film is scored from two seconds on.
	empty := Scene{Empty: true}
	if got := signs(empty.truth(clock(12, 250*time.Millisecond), 1000, nil)); got != "........eeee" {
		t.Errorf("an empty film is scored as %s", got)
	}
}

func TestZoned(t *testing.T) {
	s := Scene{ROI: &[4]int{32, 12, 96, 900}}
	cfg := s.zoned(motion.DefaultConfig(), 128, 48)
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if got, want := fmt.Sprint(cfg.Zones[0].Polygon), "[[0.25 0.25] [0.75 0.25] [0.75 1] [0.25 1]]"; got != want {
		t.Errorf("zone is %s, want %s", got, want)
	}
	if got := (&Scene{}).zoned(motion.DefaultConfig(), 128, 48); len(got.Zones) > 0 {
		t.Error("a scene without a region has a zone")
	}
}
