// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

func TestSet(t *testing.T) {
	c, err := Configure([]string{"sensitivity=2", "min_area=0.01", "confirm=2", "window=6", "end_after=1s", "absorb=5s", "learn=1500ms", "light_share=0.5"})
	if err != nil {
		t.Fatal(err)
	}
	want := motion.Config{Sensitivity: 2, MinArea: 0.01, Confirm: 2, Window: 6, Off: time.Second, Absorb: 5 * time.Second, Learn: 1500 * time.Millisecond, LightShare: 0.5}
	if fmt.Sprint(c) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
	for pair, want := range map[string]string{
		"sensitivity":     "not of the form key=value",
		"iso=3":           "use one of sensitivity, min_area",
		"sensitivity=NaN": `"NaN" is not a number`,
		"sensitivity=x":   `setting sensitivity: "x" is not a number`,
		"sensitivity=99":  "set it between 0.1 and 10",
		"confirm=1.5":     "not a whole number",
		"learn=2":         "not a time such as 600ms",
		"confirm=9":       "confirm is 9 of a window of 5",
	} {
		if _, err := Configure([]string{pair}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", pair, err, want)
		}
	}
	if c, err := Configure(nil); err != nil || fmt.Sprint(c) != fmt.Sprint(motion.DefaultConfig()) {
		t.Errorf("no pairs give %+v, %v", c, err)
	}
}

func TestCombine(t *testing.T) {
	grid, err := combine([]string{"a=1,2", "b=x,y,z"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(grid), "[[a=1 b=x] [a=1 b=y] [a=1 b=z] [a=2 b=x] [a=2 b=y] [a=2 b=z]]"; got != want {
		t.Errorf("grid is %s, want %s", got, want)
	}
	for params, want := range map[string]string{
		"":        "no parameter to tune",
		"a":       "not of the form",
		"a=":      "not of the form",
		"a=1 a=2": "given twice",
		"a=1" + strings.Repeat(",1", 40) + " b=1" + strings.Repeat(",1", 40): "more than 1024 settings",
	} {
		if _, err := combine(strings.Fields(params)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", params, err, want)
		}
	}
}

// tallied makes an outcome of 100 present and 100 empty frames.
func tallied(found, wrong int) Outcome {
	return Outcome{Labelled: true, Tally: Tally{Present: 100, Empty: 100, Found: found, False: wrong}}
}

// Three scenes, three settings; the second setting is best over all, but only because of the last scene.
func TestBestIsHeldOut(t *testing.T) {
	scenes := [][]Outcome{
		{tallied(90, 0), tallied(70, 0), tallied(50, 0)},
		{tallied(90, 10), tallied(80, 0), tallied(50, 0)},
		{tallied(10, 0), tallied(90, 0), tallied(20, 0)},
	}
	// F1 over all: 2*190/(300+190+10) = 0.76, 2*240/(300+240) = 0.89, 2*120/(300+120) = 0.57.
	if got := best(scenes, -1); got != 1 {
		t.Errorf("best over all is %d, want 1", got)
	}
	// Without the last: 2*180/(200+180+10) = 0.92, 2*150/(200+150) = 0.86.
	if got := best(scenes, 2); got != 0 {
		t.Errorf("best without the last scene is %d, want 0", got)
	}
	empty := func(wrong int) Outcome { return Outcome{Labelled: true, Tally: Tally{Empty: 100, False: wrong}} }
	if got := best([][]Outcome{{empty(5), empty(2), empty(2)}}, -1); got != 1 {
		t.Errorf("where nothing is present, the best is %d, want the first of the quietest, 1", got)
	}
	if got := best([][]Outcome{{tallied(80, 4), tallied(80, 4)}}, -1); got != 0 {
		t.Errorf("of equals, the best is %d, want the first", got)
	}
}

func TestTune(t *testing.T) {
	folder, err := OpenFolder(films6s(t), "")
	if err != nil {
		t.Fatal(err)
	}
	// Six times the area that the passer-by has is too much to be seen.
	tuning, err := folder.Tune(t.Context(), []string{"confirm=2"}, []string{"min_area=0.7,0.003", "window=5,7"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(tuning.Points) != 4 || tuning.Best < 2 || tuning.Points[0].Total.Found != 0 || tuning.Points[tuning.Best].Total.Found == 0 {
		t.Errorf("points %+v, best %d", tuning.Points, tuning.Best)
	}
	if len(tuning.Held) != 2 { // the film without labels has no say
		t.Fatalf("held out are %+v", tuning.Held)
	}
	// Of the still film nothing can be learnt, so the first setting is taken to the other one, and fails.
	if h := tuning.Held[0]; h.Outcome.Scene != "passing" || h.Set[0] != "min_area=0.7" || h.Outcome.Found != 0 {
		t.Errorf("held out: %+v", h)
	}
	if h := tuning.Held[1]; h.Outcome.Scene != "still" || h.Set[0] != "min_area=0.003" || h.Outcome.False != 0 {
		t.Errorf("held out: %+v", h)
	}
	if total := tuning.HeldTotal(); total.Present != 20 || total.Empty != 53 {
		t.Errorf("held out in all: %+v", total)
	}
	// Each setting must come to what score says of it alone.
	cfg, err := Configure([]string{"confirm=2", "min_area=0.003", "window=7"})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := folder.Score(t.Context(), cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tuning.Points[3].Total.Tally, Total(alone).Tally; got != want {
		t.Errorf("tune has %+v, score %+v", got, want)
	}
	var b strings.Builder
	if err := tuning.Write(&b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Count(text, "*") != 1 || !strings.Contains(text, "held out") || !strings.Contains(text, "min_area=0.003 window=7") {
		t.Errorf("printed:\n%s", text)
	}
	for _, wrong := range []string{"min_area=2", "fog=1", "confirm=7"} {
		if _, err := folder.Tune(t.Context(), nil, []string{wrong}, nil, nil); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	if err := folder.Choose([]string{"unknown"}); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Tune(t.Context(), nil, []string{"confirm=1"}, nil, nil); err == nil || !strings.Contains(err.Error(), "no scene has labels") {
		t.Errorf("tuning without labels: %v", err)
	}
}
