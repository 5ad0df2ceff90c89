// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightjar-cam/nightjar/capture/rpicam"
	"github.com/nightjar-cam/nightjar/uplink/policy"
)

// sameList takes "zones: []" and no zones for the same.
var sameList = cmpopts.EquateEmpty()

// The shipped file says what the program does without it.
func TestReferenceIsDefault(t *testing.T) {
	got, err := parse("reference.yml", Reference())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, sameList); diff != "" {
		t.Errorf("reference.yml differs from the defaults (-default +reference):\n%s", diff)
	}
}

// It names every key, each with a comment above.
func TestReferenceIsComplete(t *testing.T) {
	tree, err := parser.ParseBytes(Reference(), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	complete(t, "", reflect.TypeFor[Config](), tree.Docs[0].Body)
}

func complete(t *testing.T, section string, typ reflect.Type, n ast.Node) {
	pairs, ok := pairsOf(n)
	if !ok {
		t.Errorf("%s is no section", section)
		return
	}
	known := fields(typ)
	for _, pair := range pairs {
		name := pair.Key.GetToken().Value
		if field := known[name]; isSection(field) {
			complete(t, section+name+".", field, pair.Value)
		} else if pair.GetComment() == nil {
			t.Errorf("%s%s has no comment", section, name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("%s%s is not in reference.yml", section, name)
	}
}

// isSection tells whether a type has keys of its own; what is written as one text has none.
func isSection(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func TestReferenceIsACopy(t *testing.T) {
	Reference()[0] = 'x'
	if Reference()[0] != '#' {
		t.Error("a caller can change the reference")
	}
}

// The zones that its comment shows are zones that may be written there.
func TestReferenceExample(t *testing.T) {
	text := string(Reference())
	_, example, found := strings.Cut(text, "For example:\n")
	example, _, found2 := strings.Cut(example, "  zones: []")
	if !found || !found2 {
		t.Fatal("no example found")
	}
	got, err := parse("example.yml", []byte("motion:\n  zones:"+strings.ReplaceAll("\n"+example, "\n  #", "\n")))
	if err != nil || len(got.Motion.Zones) != 2 || got.Motion.Zones[0].Name != "door" {
		t.Errorf("%v, zones %+v", err, got.Motion.Zones)
	}
}

// The rules that its comment shows are rules that may be written there, beside those zones.
func TestReferenceRules(t *testing.T) {
	_, example, found := strings.Cut(string(Reference()), "For instance:\n")
	example, _, found2 := strings.Cut(example, "  rules: []")
	if !found || !found2 {
		t.Fatal("no example found")
	}
	got, err := parse("example.yml", []byte("motion: {zones: [{name: door, kind: include, polygon: [[0, 0], [1, 0], [1, 1]]}]}\n"+
		"upload:\n  rules:"+strings.ReplaceAll("\n"+example, "\n  #", "\n")))
	want := []policy.Rule{
		{Zone: "door", Hours: "22:00-06:00", Upload: policy.Now}, {Link: "wwan*", MinBytes: 10_000_000, Upload: policy.Request}, {Upload: policy.Idle},
	}
	if diff := cmp.Diff(want, got.Upload.Rules); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A person can read up to 65 keys, a third of which only boards with such hardware need; what needs more belongs into the code.
func TestFewKeys(t *testing.T) {
	if n := keys(reflect.TypeFor[Config]()); n > 65 {
		t.Errorf("%d keys", n)
	}
}

func keys(t reflect.Type) (n int) {
	for _, f := range fields(t) {
		if isSection(f) {
			n += keys(f)
		} else {
			n++
		}
	}
	return n
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nightjar.yml")
	load := func(text string) (Config, error) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(file)
	}
	got, err := load("state: /tmp/x\ncamera:\n  source: replay\n  path: a.avi\n  speed: 8\n")
	want := Default()
	want.State, want.Camera.Source, want.Camera.Path, want.Camera.Speed = "/tmp/x", Replay, "a.avi", 8
	if diff := cmp.Diff(want, got, sameList); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, tt := range []struct{ yaml, want string }{
		{"camera:\n  sped: 2", file + `:2:3: unknown key "sped" in camera: did you mean "speed"?`},
		{"camera: {source: usb}", file + `: camera: source: "usb": available are synthetic, replay, v4l2 and rpicam`},
		{"camera: {source: replay}", "camera: path: give the film"},
		{"camera: {path: a.avi}", "did you mean source: replay?"},
		{"camera: {speed: -1}", "camera: speed -1"},
		{"camera: {source: rpicam, width: 800}", "camera: width 800: rows of other widths"},
		{"camera: {source: rpicam, rpicam: {rotation: 90}}", "camera: rotation 90: must be 0 or 180"},
		{"camera: {source: rpicam, speed: 0}", "has its own pace"},
		{"camera: {rpicam: {focsu: once}}", `unknown key "focsu" in camera.rpicam: did you mean "focus"?`},
		{"state: ''", "state: give a folder"},
		{"motion: {sensitivity: 100}", "motion: sensitivity is 100"},
		{"motion: {zones: [{name: door, kind: includ, polygon: []}]}", `zone 1 ("door"): kind is "includ"`},
		{"clip: {pre_roll: 1h}", file + ": clip: pre_roll 1h0m0s: must be 0s to 30s"},
		{"clip:\n  preroll: 1s", `:2:3: unknown key "preroll" in clip: did you mean "pre_roll"?`},
		{"clip: {lossless: true}", `unknown key "lossless" in clip`},
		{"spool: {max_bytes: 0}", "max_bytes: 0: must be more than 0"},
		{"upload: {order: latest}", `: upload: order: "latest": available are oldest and newest`},
		{"upload: {idle_hours: 5}", "upload.idle_hours: want text, have int"},
		{"upload: {rules: [{zone: door, upload: now}]}", `upload: rule 1: zone: there is no include zone "door" in motion`},
		{"motion: {zones: [{name: door, kind: include, polygon: [[0, 0], [1, 0], [1, 1]]}]}\nupload: {rules: [{zone: dor, upload: now}]}",
			`rule 1: zone: there is no include zone "dor": did you mean "door"?`},
		{"motion: {zones: [{name: door, kind: ignore, polygon: [[0, 0], [1, 0], [1, 1]]}]}\nupload: {rules: [{zone: door, upload: now}]}",
			`there is no include zone "door"`},
		{"upload: {rules: [{hour: 1, upload: now}]}", `unknown key "hour" in upload.rules[0]: did you mean "hours"?`},
		{"upload: {rules: [{upload: later}]}", `rule 1: upload: "later": available are`},
		{"spool: {max_age: 1s}", "max_age: 1s: must be 0s for any age, or at least 1h"},
		{"spool: {memory_bytes: 1000}", "memory_bytes: 1000: must be 1 MiB to 1 GiB"},
		{"log: loud", "log: want a word"},
		{strings.Repeat("#\n", maxFile), "more than 16384 bytes"},
	} {
		if _, err := load(tt.yaml); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: %v\nwant %s", tt.yaml, err, tt.want)
		}
	}
	if _, err := Load(file + ".not"); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

// What the file says of the camera reaches its driver.
func TestRpicam(t *testing.T) {
	c, err := parse("x.yml", []byte("camera: {source: rpicam, device: imx708, width: 1280, height: 720, rate: 10,\n"+
		"  rpicam: {program: /opt/rpicam-vid, rotation: 180, hflip: true, vflip: true, focus: '0.5'}}"))
	want := rpicam.Config{Program: "/opt/rpicam-vid", Camera: "imx708", Width: 1280, Height: 720, Rate: 10,
		Rotation: 180, HFlip: true, VFlip: true, Focus: "0.5"}
	if got := c.Camera.Rpicam(); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestShow(t *testing.T) {
	c := Default()
	c.Camera = Camera{Source: Replay, Path: "a: b #c", Speed: 0.5, Loop: true, Rate: 5, CSI: CSI{Rotation: 180, Focus: "0"}}
	text, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse("shown.yml", text)
	if diff := cmp.Diff(c, got, sameList); err != nil || diff != "" {
		t.Errorf("%s\n%v (-want +got):\n%s", text, err, diff)
	}
}

// Whatever is in a file, reading it ends with an error or with a configuration that shows itself.
func FuzzParse(f *testing.F) {
	f.Add(Reference())
	for _, seed := range []string{"", "#", "---\n---\n", "camera: {source: replay, path: \"\\0\"}", "camera: [", "? a\n: b", "a: &x [*x]", "<<: *x", "state: |\n x", "log: !!int 5", "{{{{{", "- - - -", "state: \x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("fuzz.yml", text)
		if err != nil {
			return
		}
		shown, err := c.Show()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse("shown.yml", shown)
		if err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
		if diff := cmp.Diff(c, again, sameList); diff != "" {
			t.Errorf("read, shown and read again (-first +second):\n%s", diff)
		}
	})
}
