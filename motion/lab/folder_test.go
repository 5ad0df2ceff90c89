// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nightjar-cam/nightjar/motion"
)

// write makes a file in dir.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(f *Folder) (all []string) {
	for _, s := range f.Scenes {
		all = append(all, s.Name)
	}
	return all
}

func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"walk.mp4", "walk.txt", "yard.AVI", "night.y4m", "extra.mkv"} {
		write(t, dir, name, "")
	}
	write(t, dir, "scenes.json", `{"walk": {"n": 9, "fps": 15, "events": [[2, 4]]}, "yard": {"fps": 5}}`)
	write(t, dir, "labels.json", `{"walk": {"events": [[3, 5]]}, "night": {"empty": true}}`)
	write(t, dir, "yard.events.csv", "frame,present,valid\n0,0,1\n1,1,0\n")
	f, err := OpenFolder(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []Scene{
		{Name: "extra", File: "extra.mkv"},
		{Name: "night", File: "night.y4m", Empty: true},
		{Name: "walk", File: "walk.mp4", N: 9, FPS: 15, Events: [][2]int{{3, 5}}},
		{Name: "yard", File: "yard.AVI", FPS: 5, rows: []row{{0, -1, false, true}, {1, -1, true, false}}},
	}
	if !reflect.DeepEqual(f.Scenes, want) {
		t.Errorf("got  %+v\nwant %+v", f.Scenes, want)
	}
	for i, labelled := range []bool{false, true, true, true} {
		if f.Scenes[i].Labelled() != labelled {
			t.Errorf("%s: labelled is %v", f.Scenes[i].Name, !labelled)
		}
	}
	if err := f.Choose(nil); err != nil || len(f.Scenes) != 4 {
		t.Errorf("none named: %v, %v", names(f), err)
	}
	if err := f.Choose([]string{"yard", "fog"}); err == nil || !strings.Contains(err.Error(), "extra, night, walk, yard") {
		t.Errorf("a scene that is not there: %v", err)
	}
	if err := f.Choose([]string{"yard", "walk"}); err != nil || fmt.Sprint(names(f)) != "[yard walk]" {
		t.Errorf("chosen are %v, %v", names(f), err)
	}
	// A file of labels by name stands in for labels.json, and must be there.
	write(t, dir, "mine.json", `{"extra": {"empty": true, "file": "walk.mp4"}}`)
	f, err = OpenFolder(dir, filepath.Join(dir, "mine.json"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Scenes[0].File != "walk.mp4" || !f.Scenes[0].Empty || f.Scenes[1].Empty || f.Scenes[2].Events[0][0] != 2 {
		t.Errorf("labels by name: %+v", f.Scenes)
	}
	if _, err := OpenFolder(dir, filepath.Join(dir, "none.json")); err == nil {
		t.Error("labels that are not there are no error")
	}
}

func TestBadLabels(t *testing.T) {
	for name, c := range map[string]struct{ scenes, csv, want string }{
		"no JSON":                     {`{`, "", "scenes.json"},
		"a misspelt field":            {`{"walk": {"evnets": []}}`, "", `scene walk: json: unknown field "evnets"`},
		"no such film":                {`{"fog": {}}`, "", "scene fog: no film of that name"},
		"an event backwards":          {`{"walk": {"events": [[5, 4]]}}`, "", "give the first and the last one"},
		"a negative event":            {`{"walk": {"events": [[-5, 4]]}}`, "", "give the first and the last one"},
		"ignored backwards":           {`{"walk": {"ignore": [[5, 4]]}}`, "", "frames [5 4]: give the first and the last one"},
		"a region without one":        {`{"walk": {"events_roi": [[1, 4]]}}`, "", "events_roi without a roi"},
		"a region inside out":         {`{"walk": {"roi": [5, 5, 5, 9]}}`, "", "x0 < x1"},
		"both kinds of events":        {`{"walk": {"events": [[1, 4]], "events_roi": [[1, 4]], "roi": [0, 0, 1, 1]}}`, "", "give one"},
		"empty with events":           {`{"walk": {"events": [[1, 4]], "empty": true}}`, "", "empty, and yet there are events"},
		"empty with a CSV file":       {`{"walk": {"empty": true}}`, "frame,present,valid\n0,0,1\n", "empty, and yet there are events"},
		"a negative rate":             {`{"walk": {"fps": -1}}`, "", "fps is -1"},
		"a file elsewhere":            {`{"walk": {"file": "../x.mp4"}}`, "", "the name of a file in the folder"},
		"a CSV file of no rows":       {`{}`, "frame,present,valid\n", "no rows"},
		"a CSV file without a column": {`{}`, "frame,valid\n0,1\n", "want frame, valid, and either present or fg_px"},
		"a CSV file of words":         {`{}`, "frame,present,valid\n0,yes,1\n", "line 2"},
		"a CSV file that is ragged":   {`{}`, "frame,present,valid\n0,1\n", "wrong number of fields"},
		"a negative frame":            {`{}`, "frame,present,valid\n-1,1,1\n", "frame is -1"},
	} {
		dir := t.TempDir()
		write(t, dir, "walk.mp4", "")
		write(t, dir, "scenes.json", c.scenes)
		if c.csv != "" {
			write(t, dir, "walk.events.csv", c.csv)
		}
		if _, err := OpenFolder(dir, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
	if _, err := OpenFolder(t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "no films") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Our own labels can be read beside those of the films' makers, and say what they mean.
func TestOwnLabels(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"road_empty", "pi_atv3", "one-by-one-person-detection", "traffic_camera", "issue53_brightness_change"} {
		write(t, dir, name+".mp4", "")
	}
	write(t, dir, "scenes.json", `{"traffic_camera": {"n": 576, "events_roi": [[9, 149]], "roi": [631, 532, 841, 659]}, "pi_atv3": {"fps": 25}}`)
	f, err := OpenFolder(dir, "labels.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Scenes {
		if !s.Labelled() || s.N == 0 || s.Note == "" {
			t.Errorf("%+v", s)
		}
		if s.Name == "traffic_camera" && (s.ROI != nil || len(s.EventsROI) > 0 || s.Events[0] != [2]int{0, 575}) {
			t.Errorf("traffic_camera has another's region: %+v", s)
		}
		if s.Name == "pi_atv3" && (s.FPS != 0 || s.Ignore[0] != [2]int{128, 140}) {
			t.Errorf("pi_atv3 goes by another clock, or its dust counts: %+v", s)
		}
	}
}

func FuzzLabels(f *testing.F) {
	f.Add("frame,present,valid\n0,1,1\n")
	f.Add("frame,fg_px,unknown_px,shadow_px,valid,x0,y0,x1,y1\n0,0,0,0,0,-1,-1,-1,-1\n7,900,0,0,1,1,1,1,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseRows([]byte(text))
		if err != nil {
			return
		}
		s := Scene{rows: rows}
		tr := s.truth(clock(8, 1e8), 100, nil)
		tr.tally(clock(8, 1e8), frames("..mm...m"))
	})
}

// still and passing are films of 6 s: nothing moves, and a textured thing crosses from 3 to 5 s.
func still(n, x, y int) byte { return room(n, x, y) }

func passing(n, x, y int) byte {
	if left := (n - 30) * 6; n >= 30 && n < 50 && x >= left && x < left+24 && y >= 20 && y < 76 {
		return byte(20 + 200*((x-left)/6%2))
	}
	return room(n, x, y)
}

// films makes a folder with a still film, one with a passer-by and one without labels.
func films6s(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeY4M(t, filepath.Join(dir, "still.y4m"), 128, 96, 60, still)
	writeY4M(t, filepath.Join(dir, "passing.y4m"), 128, 96, 60, passing)
	writeY4M(t, filepath.Join(dir, "unknown.y4m"), 128, 96, 30, still)
	var csv strings.Builder
	csv.WriteString("frame,present,valid\n")
	for n := range 60 {
		present := 0
		if n >= 30 && n < 50 {
			present = 1
		}
		valid := 0
		if n >= 20 && (n < 50 || n > 56) { // a second after it the detector may hold on
			valid = 1
		}
		fmt.Fprintf(&csv, "%d,%d,%d\n", n, present, valid)
	}
	write(t, dir, "passing.events.csv", csv.String())
	write(t, dir, "scenes.json", `{"still": {"n": 60, "fps": 10, "empty": true}, "passing": {"n": 60, "fps": 10, "events": [[30, 49]]}}`)
	return dir
}

func TestScore(t *testing.T) {
	folder, err := OpenFolder(films6s(t), "")
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int32
	outcomes, err := folder.Score(t.Context(), motion.DefaultConfig(), nil, func(string) { done.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	if done.Load() != 3 || len(outcomes) != 3 {
		t.Fatalf("%d scenes done, %d outcomes", done.Load(), len(outcomes))
	}
	p, s, u := outcomes[0], outcomes[1], outcomes[2]
	if p.Scene != "passing" || p.Present != 20 || p.Empty != 13 || p.Hit != 1 || p.Events != 1 || p.Recall() < 0.7 || p.Latest.Seconds() > 0.5 {
		t.Errorf("passing: %+v", p)
	}
	if s.Scene != "still" || s.Present != 0 || s.Empty != 40 || s.False != 0 || s.Moving != 0 {
		t.Errorf("still: %+v", s)
	}
	if u.Labelled || u.Frames != 30 || u.Tally != (Tally{}) {
		t.Errorf("unknown: %+v", u)
	}
	if total := Total(outcomes); total.Present != 20 || total.Empty != 53 || total.Frames != 120 {
		t.Errorf("total: %+v", total)
	}
	var b strings.Builder
	if err := WriteTable(&b, outcomes); err != nil {
		t.Fatal(err)
	}
	if table := b.String(); strings.Count(table, "\n") != 5 || !strings.Contains(table, "unlabelled: motion in 0 of 30 frames") {
		t.Errorf("table:\n%s", table)
	}
}

// A person whom a hardship puts in is a label: in the empty film, and in the one without labels.
func TestScoreWithPerson(t *testing.T) {
	folder, err := OpenFolder(films6s(t), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Choose([]string{"still", "unknown"}); err != nil {
		t.Fatal(err)
	}
	outcomes, err := folder.Score(t.Context(), motion.DefaultConfig(), []string{"person:from=2.2,to=5,height=0.8", "night:level=0.8,gain=2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, present := range []int{28, 8} {
		if o := outcomes[i]; !o.Labelled || o.Present != present || o.Events != 1 {
			t.Errorf("%s: %+v, want %d present frames in an event", o.Scene, o, present)
		}
	}
	if outcomes[0].Hit != 1 || outcomes[1].Empty != 0 {
		t.Errorf("the person is not seen, or frames of the unknown film are taken for empty: %+v", outcomes)
	}
	if _, err := folder.Score(t.Context(), motion.DefaultConfig(), []string{"fog"}, nil); err == nil {
		t.Error("fog is taken")
	}
	folder.Scenes[0].N = 59
	if _, err := folder.Score(t.Context(), motion.DefaultConfig(), nil, nil); err == nil || !strings.Contains(err.Error(), "scene still: film has 60 frames, its labels are for 59") {
		t.Errorf("labels of another film: %v", err)
	}
}

// Research footage is no part of the project: where it is, its labels must be readable, and no scene may be lost.
func TestResearchFootage(t *testing.T) {
	dir := os.Getenv("NIGHTJAR_FOOTAGE")
	if dir == "" {
		t.Skip("NIGHTJAR_FOOTAGE names no folder with the labelled films; their licences keep them out of the repository")
	}
	needFFmpeg(t)
	folder, err := OpenFolder(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Choose([]string{"WavingTrees", "highway", "issue53_brightness_change"}); err != nil {
		t.Fatal(err)
	}
	outcomes, err := folder.Score(t.Context(), motion.DefaultConfig(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o := outcomes[0]; o.Present != 45 || o.Empty != 42 || o.Events != 1 {
		t.Errorf("WavingTrees: %+v", o)
	}
	if o := outcomes[1]; o.Present != 1129 || o.Events == 0 {
		t.Errorf("highway: %+v", o)
	}
	if outcomes[2].Labelled {
		t.Error("a film without labels is scored")
	}
}
