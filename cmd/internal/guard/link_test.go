// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A program says what the linker must not put into one of our programs.
type program struct {
	name string
	deny []denied
	has  []denied // what it does have, so that the search for it is seen to work
}

// denied is either a package, with all below it, or functions by a regular expression on their linker
// symbols. The second is for libraries that import more than they use: paho imports net/http for its
// websocket, mediadevices' codec imports the whole of WebRTC. What counts is what is left of them.
type denied struct {
	pkg    string
	funcs  string
	reason string
}

var (
	noListening = denied{funcs: `^net\.\(\*sysListener\)\.|^net\.\(\*netFD\)\.accept`,
		reason: "no open port: the functions that listen and accept are not in the program"}
	noServer = denied{funcs: `^net/http\.\(\*Server\)\.`, reason: "no HTTP server"}
	noExec   = denied{funcs: `^os/exec\.`, reason: "the hub runs no other program"}
	// capture/rpicam makes its exec.Cmd by hand: a Command would be another program's.
	noCommand = denied{funcs: `^os/exec\.Command`, reason: "the camera runs rpicam-vid and no other program"}
	noLab     = denied{pkg: module + "motion/lab", reason: "the laboratory is for the owner's laptop"}
	noSQL     = denied{funcs: `^database/sql\.`, reason: "SQL is the hub's own affair"} // uuid imports database/sql/driver
	noSQLite  = denied{pkg: "modernc.org", reason: "SQL is the hub's own affair"}
	noBroker  = denied{pkg: "github.com/mochi-mqtt", reason: "the broker is the hub's"}
	noCodec   = denied{pkg: "github.com/pion", reason: "cameras and codecs are the agent's"}
)

var programs = []program{
	{name: "nightjar", has: []denied{noExec}, deny: []denied{noListening, noServer, noCommand, noLab, noSQL, noSQLite, noBroker,
		{pkg: module + "uplink/hub", reason: "a camera is no hub"},
		{pkg: "github.com/pion/mediadevices/pkg/driver/camera", reason: "it tears frames, and is empty without cgo"},
		{pkg: "net/http/pprof", reason: "nothing to profile from outside"},
		{pkg: "testing", reason: "tests stay outside"},
	}},
	// The laboratory plays films through the agent's own source, mediadevices' registry, and has ffmpeg decode the others.
	{name: "nightjarctl", has: []denied{noExec, noCommand, noLab}, deny: []denied{noListening, noServer, noSQL, noSQLite, noBroker,
		{pkg: "github.com/pion/webrtc", reason: "it plays films from files and nothing from a network"},
		{pkg: "github.com/pion/mediadevices/pkg/codec", reason: "codecs are the agent's, and ffmpeg's"},
		{pkg: "github.com/pion/mediadevices/pkg/driver/camera", reason: "cameras are the agent's"},
		{pkg: module + "capture/h264", reason: "the encoder is the agent's: it needs a C compiler"},
		{pkg: "runtime/cgo", reason: "it is built without a C compiler for any laptop"},
		{pkg: "testing", reason: "tests stay outside"},
	}},
	{name: "nightjar-hub", has: []denied{noListening, noSQL, noSQLite, noBroker}, deny: []denied{noExec, noLab, noCodec,
		{pkg: "filippo.io/age", reason: "the hub cannot open what it stores"},
		{pkg: "runtime/cgo", reason: "it is built without a C compiler for any server"},
		{pkg: "testing", reason: "tests stay outside"},
	}},
}

func TestPrograms(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			deps, symbols := linked(t, p.name)
			for _, d := range p.deny {
				for _, found := range d.find(deps, symbols) {
					t.Errorf("links %s: %s", found, d.reason)
				}
			}
			for _, d := range p.has {
				if len(d.find(deps, symbols)) == 0 {
					t.Errorf("does not link %s%s: the rule is blind", d.pkg, d.funcs)
				}
			}
		})
	}
}

func (d denied) find(deps, symbols []string) []string {
	if d.pkg != "" {
		return slices.DeleteFunc(slices.Clone(deps), func(p string) bool { return !under(p, d.pkg) })
	}
	pattern := regexp.MustCompile(d.funcs)
	return slices.DeleteFunc(slices.Clone(symbols), func(s string) bool { return !pattern.MatchString(s) })
}

// linked returns the packages and the functions of a program, built as the Makefile builds it.
func linked(t *testing.T, name string) (deps, symbols []string) {
	t.Helper()
	cgo := "CGO_ENABLED=0"
	if name == "nightjar" {
		cgo = "CGO_ENABLED=1"
	}
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Env = append(cmd.Environ(), cgo)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
		}
		return out
	}
	pkg, bin := module+"cmd/"+name, filepath.Join(t.TempDir(), name)
	deps = strings.Fields(string(run("list", "-deps", "-tags", "netgo,osusergo", pkg)))
	run("build", "-tags", "netgo,osusergo", "-o", bin, pkg)
	for line := range strings.Lines(string(run("tool", "nm", bin))) {
		// address, type, name; an undefined symbol has no address
		if f := strings.Fields(line); len(f) >= 3 && strings.EqualFold(f[1], "t") {
			symbols = append(symbols, f[2])
		}
	}
	if len(symbols) == 0 {
		t.Fatalf("no symbols in %s: the tests would prove nothing", name)
	}
	return deps, symbols
}
