// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/nightjar-cam/nightjar/motion"
)

// maxSettings bounds a grid: one more parameter is soon a day of computing.
const maxSettings = 1024

// Tuning is what a grid of settings came to.
type Tuning struct {
	Points []Point // in the order of the grid, the last parameter fastest
	// Held has for each scene the setting that is best on the other ones, and its outcome on this one: what a choice made on
	// some films is worth on another.
	Held []HeldOut
	Best int // the point with the best F1 over all scenes
}

// Point is a setting and its outcome over all scenes.
type Point struct {
	Set   []string // key=value
	Total Outcome
}

// HeldOut is a scene that had no say in its setting.
type HeldOut struct {
	Set     []string
	Outcome Outcome
}

// Tune tries every combination of the params, each of the form key=value,value,..., on top of the pairs in set. Scenes
// without labels are passed over. See Score for progress.
func (f *Folder) Tune(ctx context.Context, set, params, hardships []string, progress func(string)) (*Tuning, error) {
	grid, err := combine(params)
	if err != nil {
		return nil, err
	}
	settings := make([]motion.Config, len(grid))
	for i, pairs := range grid {
		if settings[i], err = Configure(append(append([]string{}, set...), pairs...)); err != nil {
			return nil, err
		}
	}
	scenes, err := f.try(ctx, settings, hardships, true, progress)
	if err != nil {
		return nil, err
	}
	if len(scenes) == 0 {
		return nil, errors.New("no scene has labels: there is nothing to tune for")
	}
	t := &Tuning{}
	for i := range grid {
		t.Points = append(t.Points, Point{grid[i], sum(scenes, i, -1)})
	}
	t.Best = best(scenes, -1)
	if len(scenes) > 1 {
		for s := range scenes {
			chosen := best(scenes, s)
			t.Held = append(t.Held, HeldOut{grid[chosen], scenes[s][chosen]})
		}
	}
	return t, nil
}

// combine makes the grid of the params.
func combine(params []string) ([][]string, error) {
	grid, seen := [][]string{nil}, map[string]bool{}
	if len(params) == 0 {
		return nil, fmt.Errorf("no parameter to tune: give one as key=value,value,...; keys are %s", strings.Join(Keys(), ", "))
	}
	for _, p := range params {
		key, list, ok := strings.Cut(p, "=")
		if !ok || list == "" {
			return nil, fmt.Errorf("parameter %q is not of the form key=value,value", p)
		}
		if seen[key] {
			return nil, fmt.Errorf("parameter %s is given twice", key)
		}
		seen[key] = true
		values := strings.Split(list, ",")
		if len(grid)*len(values) > maxSettings {
			return nil, fmt.Errorf("more than %d settings, give fewer values", maxSettings)
		}
		var next [][]string
		for _, pairs := range grid {
			for _, v := range values {
				next = append(next, append(pairs[:len(pairs):len(pairs)], key+"="+v))
			}
		}
		grid = next
	}
	return grid, nil
}

// sum adds the outcomes of one setting over all scenes except one, or none if that is -1.
func sum(scenes [][]Outcome, setting, except int) Outcome {
	var outcomes []Outcome
	for s := range scenes {
		if s != except {
			outcomes = append(outcomes, scenes[s][setting])
		}
	}
	return Total(outcomes)
}

// best returns the setting with the highest F1; of equals, and where nothing is present, the one with the fewest false
// alarms, and then the first.
func best(scenes [][]Outcome, except int) (at int) {
	better := func(a, b Tally) bool {
		x, y := a.F1(), b.F1()
		if x != y && !math.IsNaN(x) && !math.IsNaN(y) {
			return x > y
		}
		return a.False < b.False
	}
	top := sum(scenes, 0, except)
	for i := 1; i < len(scenes[0]); i++ {
		if o := sum(scenes, i, except); better(o.Tally, top.Tally) {
			at, top = i, o
		}
	}
	return at
}

// HeldTotal adds what the scenes held out came to.
func (t *Tuning) HeldTotal() Outcome {
	var outcomes []Outcome
	for _, h := range t.Held {
		outcomes = append(outcomes, h.Outcome)
	}
	return Total(outcomes)
}

// Write prints the trade-off and what is held out. A star marks the best setting.
func (t *Tuning) Write(w io.Writer) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, setting string, o Outcome) {
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s\t%s\t%s\t%d/%d\t%d\n", name, setting, decimals(o.Recall()), decimals(o.FPR()),
			decimals(o.Precision()), decimals(o.F1()), o.Hit, o.Events, o.FalseEvents)
	}
	fmt.Fprintln(columns, "\tsetting\trecall\tFPR\tprecision\tF1\tevents\tfalse events")
	for i, p := range t.Points {
		mark := " "
		if i == t.Best {
			mark = "*"
		}
		line(mark, strings.Join(p.Set, " "), p.Total)
	}
	if len(t.Held) > 0 {
		fmt.Fprintln(columns, "\nheld out\tbest on the others\trecall\tFPR\tprecision\tF1\tevents\tfalse events")
		for _, h := range t.Held {
			line(h.Outcome.Scene, strings.Join(h.Set, " "), h.Outcome)
		}
		line("total", "", t.HeldTotal())
	}
	return columns.Flush()
}
