// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// A rule says what the code of some folders (and those below) must not import, tests aside.
type rule struct {
	in     []string // folders from the root; "." is all
	except []string // but not these
	deny   []string // import paths, with all below them; our own without the module's name
	exact  bool     // deny the paths only, not what is below them
	reason string
}

// rooms are the top-level folders; all but cmd.
var rooms = []string{"capture", "motion", "keys", "uplink", "board", "ota"}

func siblings(of ...string) []string {
	return slices.DeleteFunc(slices.Clone(rooms), func(r string) bool { return slices.Contains(of, r) })
}

var rules = []rule{
	{in: rooms, deny: []string{"cmd"},
		reason: "cmd composes the rooms; a room that knows the composition cannot be used without it"},
	{in: []string{"."}, except: []string{"cmd/nightjar"}, deny: []string{"cmd/internal/config"},
		reason: "each package has its own Config; the composed one is the agent's alone"},
	{in: []string{"motion"}, except: []string{"motion/lab"}, deny: append(siblings("motion"), "github.com", "filippo.io", "modernc.org"),
		reason: "a leaf: the detector runs in the lab, under qemu and on any plane of bytes"},
	{in: []string{"motion/lab"}, deny: append(siblings("motion", "capture"), "filippo.io", "modernc.org"),
		reason: "the laboratory needs films and the detector, and nothing of keys or networks"},
	{in: []string{"motion/lab/hardship"}, deny: append(siblings("motion"), "motion/lab", "github.com", "golang.org", "math/rand"),
		reason: "a leaf over the detector's plane, and the same bytes on every processor: randomness is a hash of its own"},
	{in: []string{"."}, except: []string{"motion/lab", "cmd/nightjarctl"}, deny: []string{"motion/lab"},
		reason: "the laboratory is for the owner's laptop; no camera and no hub carries it"},
	{in: []string{"keys"}, deny: siblings("keys"),
		reason: "a leaf: what is trusted does not depend on what is recorded or how it travels"},
	{in: []string{"board"}, deny: siblings("board"),
		reason: "a leaf: everyone may ask the board"},
	{in: []string{"ota"}, deny: siblings("ota", "keys"),
		reason: "an update may come from a hub, a stick or a serial line: the updater knows none of them, and they meet in cmd"},
	{in: []string{"ota/block", "ota/slot"}, deny: append(siblings("ota"), "github.com/theupdateframework", "github.com/klauspost"),
		reason: "a leaf: what is written where does not depend on what it is or who signed it"},
	{in: []string{"uplink/wire"}, deny: append(siblings(), "github.com"),
		reason: "a leaf: the encoding is shared by camera and hub and must drag neither into the other"},
	{in: []string{"uplink/spool"}, deny: append(siblings(), "github.com", "filippo.io"),
		reason: "a queue of bytes: it holds ciphertext and signed records and needs to know neither"},
	{in: []string{"capture"}, deny: []string{"uplink", "keys"},
		reason: "capture and uplink meet in cmd, as an io.Writer and a record"},
	{in: []string{"uplink"}, deny: []string{"capture", "motion"},
		reason: "capture and uplink meet in cmd, as an io.Writer and a record"},
	{in: []string{"uplink"}, except: []string{"uplink/hub"}, deny: []string{"uplink/hub"},
		reason: "the camera's side links no hub"},
	{in: []string{"uplink/hub"}, deny: []string{"keys/seal", "filippo.io/age"},
		reason: "the hub cannot open what it stores"},
	{in: []string{"uplink/hub/archive"}, deny: []string{"uplink/hub/store", "database/sql", "modernc.org"},
		reason: "the owner reads the store's plain files; its index is the hub's own affair"},
	{in: []string{"."}, except: []string{"uplink/hub/store"}, deny: []string{"database/sql", "modernc.org"},
		reason: "SQL stays behind the store"},
	{in: []string{"."}, except: []string{"uplink/hub"}, deny: []string{"github.com/mochi-mqtt"},
		reason: "the broker is a part of the hub"},
	{in: []string{"."}, except: []string{"uplink"}, deny: []string{"github.com/eclipse/paho.mqtt.golang"},
		reason: "one package decides how we speak MQTT"},
	{in: []string{"."}, except: []string{"capture/h264"}, deny: []string{"C", "github.com/pion/mediadevices/pkg/codec"},
		reason: "cgo is in one package only, so that everything else builds for any board without a C compiler"},
	{in: []string{"."}, deny: []string{"github.com/pion/mediadevices/pkg/driver/camera"},
		reason: "without cgo it compiles to nothing and registers no camera, silently; with it, it tears frames"},
	{in: []string{"."}, except: []string{"capture/rpicam", "motion/lab", "cmd/internal/proctest", "cmd/internal/box/init"}, deny: []string{"os/exec"},
		reason: "the camera runs one program, rpicam-vid, with a fixed command line, and the hub none; the laboratory has ffmpeg decode films on the owner's laptop, with fixed arguments and without a shell"},
	{in: []string{"."}, deny: []string{"plugin"},
		reason: "what a program is, is known when it is built"},
	{in: []string{"."}, deny: []string{"net/http"},
		reason: "MQTT over TLS 1.3 is the only way in or out"},
	{in: []string{"."}, deny: []string{"log"}, exact: true,
		reason: "messages go through log/slog, with attributes"},
	{in: []string{"keys", "uplink/hub"}, deny: []string{"math/rand"},
		reason: "secrets come from crypto/rand"},
	{in: []string{"keys", "uplink", "cmd"}, deny: []string{"unsafe"},
		reason: "what reads foreign bytes keeps memory typed"},
}

func TestImportRules(t *testing.T) {
	files := parseTree(t, root)
	for i, r := range rules {
		matched := false
		for _, f := range files {
			matched = matched || r.covers(f)
			for _, wrong := range r.check(f) {
				t.Error(wrong)
			}
		}
		if !matched {
			t.Errorf("rule %d (%s): covers no file: are its folders still there?", i, r.reason)
		}
	}
}

func (r rule) covers(f file) bool {
	in := func(dirs []string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return d == "." || under(f.dir(), d) })
	}
	return !f.test && in(r.in) && !in(r.except)
}

func (r rule) check(f file) (wrong []string) {
	if !r.covers(f) {
		return nil
	}
	for _, path := range f.imports() {
		for _, d := range r.deny {
			if path == d || !r.exact && under(path, d) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", f.path, path, r.reason))
			}
		}
	}
	return wrong
}

// Each rule finds each import it denies, in each of its folders, and not in tests or exceptions.
func TestImportRulesBite(t *testing.T) {
	for _, r := range rules {
		for _, dir := range r.in {
			for _, denied := range r.deny {
				if first, _, _ := strings.Cut(denied, "/"); first == "cmd" || slices.Contains(rooms, first) {
					denied = module + denied
				}
				source := "package x\n\nimport _ \"" + denied + "\"\n"
				if len(r.check(fixture(t, strings.TrimPrefix(dir+"/deep/x.go", "./"), source))) != 1 {
					t.Errorf("%s may import %s: %s", dir, denied, r.reason)
				}
				if len(r.check(fixture(t, strings.TrimPrefix(dir+"/deep/x_test.go", "./"), source))) != 0 {
					t.Errorf("a test in %s may not import %s", dir, denied)
				}
				for _, e := range r.except {
					if len(r.check(fixture(t, e+"/x.go", source))) != 0 {
						t.Errorf("the exception %s may not import %s", e, denied)
					}
				}
			}
		}
	}
}

// Only the hub listens. Tests may.
func TestOnlyHubListens(t *testing.T) {
	heard := false
	for _, f := range parseTree(t, root) {
		if f.test || under(f.dir(), "uplink/hub") {
			heard = heard || len(listens(f)) > 0
			continue
		}
		for _, call := range listens(f) {
			t.Errorf("%s: listens: a camera has no open port", call)
		}
	}
	if !heard {
		t.Error("the hub does not listen either: this test is blind")
	}
}

// listens returns the places where the file names a function of package net or crypto/tls that listens.
func listens(f file) (places []string) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && (x.Name == "net" || x.Name == "tls" || x.Name == "http") && strings.HasPrefix(s.Sel.Name, "Listen") {
			places = append(places, f.fset.Position(s.Pos()).String())
		}
		return true
	})
	return places
}
