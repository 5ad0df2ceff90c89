// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

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

// What the detector itself says, written down, scores as the detector does.
func TestScoreVerdictsIsScore(t *testing.T) {
	folder, err := OpenFolder(films6s(t), "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, s := range folder.Scenes {
		var text strings.Builder
		err := Run(t.Context(), folder.Dir+"/"+s.File, s.FPS, nil, motion.DefaultConfig(), func(v Verdict) error {
			fmt.Fprintln(&text, map[bool]int{true: 1}[v.Motion])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, s.Name+".txt", text.String())
	}
	want, err := folder.Score(t.Context(), motion.DefaultConfig(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := folder.ScoreVerdicts(t.Context(), dir, func(string) {})
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := folder.ScoreVerdicts(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

func FuzzVerdicts(f *testing.F) {
	f.Add([]byte("0110\n"))
	f.Add([]byte("0 1\r\n2"))
	f.Fuzz(func(t *testing.T, text []byte) {
		moving, err := parseVerdicts(text)
		if err == nil && len(moving) != strings.Count(string(text), "0")+strings.Count(string(text), "1") {
			t.Errorf("%q gives %d verdicts", text, len(moving))
		}
	})
}
