// SPDX-License-Identifier: Apache-2.0

package hardship_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion/lab/hardship"
)

func TestParseString(t *testing.T) {
	for _, spec := range append(slices.Clone(specs), hardship.Names()...) {
		e := parse(t, spec)
		again := parse(t, e.String())
		if again.String() != e.String() {
			t.Errorf("%s: %q became %q", spec, e, again)
		}
		if film(again, 48, 32, 48, 30, 100) != film(e, 48, 32, 48, 30, 100) {
			t.Errorf("%s: the effect of its text is another one", spec)
		}
		for pair := range strings.SplitSeq(spec[strings.IndexAny(spec+":", ":"):], ",") {
			if pair = strings.TrimPrefix(pair, ":"); !strings.Contains(e.String(), pair) {
				t.Errorf("%s: %q is missing in %q", spec, pair, e)
			}
		}
	}
	if got, want := parse(t, "lamp:x=0.25").String(), "lamp:at=3,off=0,rise=0.1,x=0.25,y=0.4,radius=0.3,gain=3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"":                          `hardship "" is unknown, use one of clouds, exposure`,
		"fog":                       `hardship "fog" is unknown`,
		"Night":                     "is unknown",
		"night:":                    `hardship night: "" is not of the form key=number`,
		"night:gain":                `"gain" is not of the form key=number`,
		"night:gain=":               `gain is "", which is not a number`,
		"night:gain=NaN":            "not a number",
		"night:gain=x":              "not a number",
		"night:gain=+Inf":           "gain is +Inf, set it between 1 and 256",
		"night:gain=0.5":            "set it between 1 and 256",
		"night:gain=2,gain=3":       "gain is given twice",
		"night:ISO=3":               `"ISO" is unknown, use one of level, gain`,
		"night:gain=2,":             "key=number",
		"headlights:from=3,to=3":    "to must be later than from",
		"person:from=9":             "to must be later than from",
		"ircut:at=3,back=3,gap=0.1": "back must be later than at+gap",
		"person:dir=2":              "set it between -1 and 1",
	} {
		_, err := hardship.Parse(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", spec, err, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	names := hardship.Names()
	if !slices.IsSorted(names) || len(names) < 11 {
		t.Errorf("names are %q, want 11 or more, sorted", names)
	}
	for _, name := range names {
		text, numbers := hardship.Describe(name), strings.Count(parse(t, name).String(), "=")
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if !strings.HasPrefix(text, name+": ") || len(lines) != 1+numbers {
			t.Errorf("%s: want its line and one for each of %d numbers:\n%s", name, numbers, text)
		}
	}
	if hardship.Describe("fog") != "" {
		t.Error("there is a text on fog")
	}
}

// Whatever Parse takes, it gives a text that makes the same, and an effect that keeps its bounds.
func FuzzParse(f *testing.F) {
	for _, spec := range specs {
		f.Add(spec)
		f.Add(spec + ",seed=7")
	}
	for _, name := range hardship.Names() {
		f.Add(parse(f, name).String())
	}
	f.Fuzz(func(t *testing.T, spec string) {
		e, err := hardship.Parse(spec)
		if err != nil {
			if len(err.Error()) > 1000+8*len(spec) {
				t.Errorf("an error of %d bytes for a text of %d", len(err.Error()), len(spec))
			}
			return
		}
		again, err := hardship.Parse(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("%q became %q: %v", spec, e, err)
		}
		p := scene(9, 7, 11)
		e.Apply(p, 4, 3*time.Second+50*time.Millisecond)
		for i, v := range p.Pix {
			if i%11 >= 9 && v != 0xa5 {
				t.Fatalf("%q wrote beside the picture", spec)
			}
		}
	})
}
