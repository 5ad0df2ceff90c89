// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFindingsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := func(d time.Duration, f Finding) func(context.Context) Finding {
			return func(context.Context) Finding { time.Sleep(d); return f }
		}
		r := Examine(t.Context(), time.Minute, []Check{
			{"first", late(3*time.Second, Good("%d things", 3))},
			{"second", late(time.Second, Bad("do this", "it is broken"))},
			{"third", late(0, Doubtful("do that", "it is odd"))},
			{"fourth", late(2*time.Second, Skipped("no second"))},
		})
		var got []string
		for _, f := range r {
			got = append(got, f.Name+" "+string(f.Verdict))
		}
		if want := "first ok, second fail, third warn, fourth skip"; strings.Join(got, ", ") != want {
			t.Errorf("found %q, want %q", got, want)
		}
		if err := r.Failed(); err == nil || err.Error() != "not well: second" {
			t.Errorf("failed is %v", err)
		}
		var out strings.Builder
		if err := r.Print(&out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"ok    first   3 things\n", "fail  second  it is broken\n", "-> do this\n", "-> do that\n"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not in\n%s", want, out.String())
			}
		}
	})
}

// A check that hangs, or is wrong itself, must not take the others with it.
func TestHangingAndPanickingChecksFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := Examine(t.Context(), 5*time.Second, []Check{
			{"hangs", func(context.Context) Finding { time.Sleep(time.Hour); return Good("never seen") }},
			{"panics", func(context.Context) Finding { panic("oops") }},
			{"fine", func(context.Context) Finding { return Good("yes") }},
		})
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		if r[0].Verdict != Fail || !strings.Contains(r[0].Text, "5s") || r[1].Verdict != Fail || !strings.Contains(r[1].Text, "oops") || r[2].Verdict != OK {
			t.Errorf("found %+v", r)
		}
		time.Sleep(time.Hour) // the goroutine that hung
	})
}

func TestAllWellIsNoError(t *testing.T) {
	if err := (Report{{Verdict: OK}, {Verdict: Warn}, {Verdict: Skip}}).Failed(); err != nil {
		t.Error(err)
	}
}
