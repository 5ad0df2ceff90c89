// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

func TestVerdictLine(t *testing.T) {
	for _, c := range []struct {
		v    Verdict
		want string
	}{
		{Verdict{Why: motion.Learning}, `{"frame":0,"t":0,"motion":false,"score":0.0000,"boxes":[],"why":"learning"}`},
		{Verdict{Frame: 12, T: 1234567899, Motion: true, Score: 0.03125, Why: motion.Moving, Boxes: []motion.Box{{X0: 0, Y0: 1.0 / 3, X1: 0.5, Y1: 1}, {X0: 0.25, X1: 1}}},
			`{"frame":12,"t":1.234567,"motion":true,"score":0.0312,"boxes":[[0.0000,0.3333,0.5000,1.0000],[0.2500,0.0000,1.0000,0.0000]],"why":"motion"}`},
	} {
		got := string(c.v.AppendJSON(nil))
		if got != c.want+"\n" {
			t.Errorf("got  %swant %s", got, c.want)
		}
		var back struct {
			Boxes [][4]float64
			T     float64
		}
		if err := json.Unmarshal([]byte(got), &back); err != nil || back.Boxes == nil {
			t.Errorf("%s is no JSON, or boxes is null: %v", got, err)
		}
	}
}

// The last bits of a float, in which processors differ that fuse a multiplication with an addition, are not in the text.
func TestVerdictHidesLastBits(t *testing.T) {
	for i := range 3000 {
		x := float64(i*8) / 384
		up, down := math.Nextafter(x, 2), math.Nextafter(x, -1)
		line := func(x float64) string { return string(Verdict{Score: x, Boxes: []motion.Box{{X0: x}}}.AppendJSON(nil)) }
		if line(x) != line(up) || line(x) != strings.ReplaceAll(line(down), "-0.0000", "0.0000") {
			t.Fatalf("%v: %s %s %s", x, line(down), line(x), line(up))
		}
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", time.Second: "1", 1500 * time.Millisecond: "1.5", 40 * time.Millisecond: "0.04", 999: "0", 1000: "0.000001",
		time.Hour + time.Microsecond: "3600.000001", -250 * time.Millisecond: "-0.25", 120 * time.Second: "120", 33366666: "0.033366",
	} {
		if got := string(appendSeconds(nil, d)); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	var s Summary
	for i, m := range frames("..mmm...m") {
		v := Verdict{Frame: i, T: time.Duration(i) * time.Second, Motion: m, Why: motion.Quiet}
		if m {
			v.Score, v.Why = float64(i)/10, motion.Moving
		}
		s.Add(v)
	}
	var b strings.Builder
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	const want = "motion     2.00 s to     4.00 s  frames 2 to 4  score up to 0.4000\n" +
		"motion     8.00 s to     8.00 s  frames 8 to 8  score up to 0.8000\n" +
		"9 frames to 8.00 s: motion in 4 (44.4 %), 2 intervals\n"
	if b.String() != want || s.Whys[motion.Quiet] != 5 {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// Two runs give the same bytes, hardships or not.
func TestRunIsDeterministic(t *testing.T) {
	lines := func(hardships ...string) string {
		var b []byte
		stop := errEnough
		err := Run(t.Context(), visits, 0, hardships, motion.DefaultConfig(), func(v Verdict) error {
			b = v.AppendJSON(b)
			if v.Frame == 90 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		return string(b)
	}
	plain, night := lines(), lines("rain", "night")
	if plain != lines() || night != lines("rain", "night") {
		t.Error("two runs differ")
	}
	if plain == night {
		t.Error("a rainy night changes nothing")
	}
	if n := strings.Count(plain, "\n"); n != 91 || !strings.Contains(plain, `"motion":true`) {
		t.Errorf("%d lines, or no motion up to frame 90", n)
	}
}
