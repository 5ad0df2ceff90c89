// SPDX-License-Identifier: Apache-2.0

package config

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample has every kind of field that our packages' Configs have.
type sample struct {
	Name  string        `yaml:"name"`
	On    bool          `yaml:"on"`
	Rate  float64       `yaml:"rate"`
	Count int           `yaml:"count"`
	Bytes int64         `yaml:"bytes"`
	Level slog.Level    `yaml:"level"`
	Wait  time.Duration `yaml:"wait"`
	Zones []zone        `yaml:"zones"`
	Deep  struct {
		PreRoll time.Duration `yaml:"pre_roll"`
	} `yaml:"deep"`
	Hidden func() `yaml:"-"`
}

type zone struct {
	Name    string       `yaml:"name"`
	Polygon [][2]float64 `yaml:"polygon"`
}

func sampleDefaults() sample {
	s := sample{Name: "porch", On: true, Rate: 1.5, Count: 3, Bytes: 1 << 40, Level: slog.LevelWarn, Wait: time.Minute}
	s.Deep.PreRoll = 2 * time.Second
	return s
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		yaml string
		set  func(s *sample)
	}{
		{"", nil},
		{"# nothing but words\n", nil},
		{"---\n# nothing\n---\n", nil},
		{"name:\ndeep:\n", nil}, // nothing after the colon keeps the default
		{"deep: {}\nzones: []", func(s *sample) { s.Zones = []zone{} }},
		{"name: garden gate", func(s *sample) { s.Name = "garden gate" }},
		{"name: '5'", func(s *sample) { s.Name = "5" }},
		{"on: false", func(s *sample) { s.On = false }},
		{"rate: 2", func(s *sample) { s.Rate = 2 }},
		{"count: -4\nbytes: 1_000_000", func(s *sample) { s.Count, s.Bytes = -4, 1e6 }},
		{"level: debug", func(s *sample) { s.Level = slog.LevelDebug }},
		{"wait: 1m30s", func(s *sample) { s.Wait = 90 * time.Second }},
		{"deep:\n  pre_roll: 5s", func(s *sample) { s.Deep.PreRoll = 5 * time.Second }},
		{"zones:\n- name: door\n  polygon: [[0, 0], [1, 0.5]]\n- name: street", func(s *sample) {
			s.Zones = []zone{{"door", [][2]float64{{0, 0}, {1, 0.5}}}, {Name: "street"}}
		}},
	} {
		got, want := sampleDefaults(), sampleDefaults()
		if tt.set != nil {
			tt.set(&want)
		}
		if err := decode("x.yml", []byte(tt.yaml), &got); err != nil {
			t.Errorf("%q: %v", tt.yaml, err)
		} else if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Hidden" }, cmp.Ignore())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.yaml, diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct{ yaml, want string }{
		{"nmae: x", `x.yml:1:1: unknown key "nmae": did you mean "name"?`},
		{"name: x\ndeep:\n  preroll: 5s", `x.yml:3:3: unknown key "preroll" in deep: did you mean "pre_roll"?`},
		{"Name: x", `x.yml:1:1: unknown key "Name": did you mean "name"?`},
		{"hidden: x", `x.yml:1:1: unknown key "hidden": the keys are bytes, count, deep, level, name, on, rate, wait, zones`},
		{"5: x", `x.yml:1:1: unknown key "5": the keys are`},
		{"zones:\n- name: x\n  kind: y", `x.yml:3:3: unknown key "kind" in zones[0]: the keys are name, polygon`},
		{"count: 1.5", `x.yml:1:1: count: want a whole number, have float`},
		{"count: '5'", `x.yml:1:1: count: want a whole number, have string`},
		{"bytes: 9223372036854775808", `x.yml:1:8: cannot unmarshal 9223372036854775808`},
		{"rate: .nan", `x.yml:1:1: rate: want a number, have nan`},
		{"rate: .inf", `x.yml:1:1: rate: want a number, have inf`},
		{"on: yes", `x.yml:1:1: on: want true or false, have string`},
		{"name: 5", `x.yml:1:1: name: want text, have int`},
		{"wait: 5", `x.yml:1:1: wait: want a duration such as 1.5s or 2m, have int`},
		{"wait: 5 min", `x.yml:1:1: wait: want a duration such as 1.5s or 2m: time: unknown unit`},
		{"level: loud", `x.yml:1:1: level: want a word: slog: level string "loud"`},
		{"deep: 5", `x.yml:1:1: deep: want a section of keys, have int`},
		{"zones: {name: x}", `x.yml:1:1: zones: want a list, have mapping`},
		{"zones: [{polygon: [[1, 2, 3]]}]", `zones[0].polygon[0]: want 2 values, have 3`},
		{"zones: [{polygon: [[1, x]]}]", `zones[0].polygon[0][1]: want a number, have string`},
		{"- 1", `x.yml:1:1: the file: want a section of keys, have sequence`},
		{"name: a\nname: b", `x.yml:2:1: mapping key "name" already defined at [1:1]`},
		{"name: a\n---\nname: b", `x.yml: 2 documents in one file`},
		{"name: &n x", `name: want text, have anchor`},
		{"name: *n", `name: want text, have alias`},
		{"<<: {name: x}", `unknown key "<<"`},
		{"name: !!binary aGk=", `name: want text, have tag`},
		{"name: 'x", `x.yml:1:7: could not find end character`},
		{"deep: {pre_roll: 1s", `x.yml:1:7: could not find flow mapping end token`},
	} {
		got := sampleDefaults()
		err := decode("x.yml", []byte(tt.yaml), &got)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v\nwant %s", tt.yaml, err, tt.want)
		}
	}
}

// All mistakes are told at once, a line each.
func TestDecodeTellsAll(t *testing.T) {
	var got sample
	err := decode("x.yml", []byte("nmae: x\ncount: y\ndeep: {z: 1}"), &got)
	if err == nil || len(strings.Split(err.Error(), "\n")) != 3 {
		t.Errorf("want three lines: %v", err)
	}
}
