// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/proctest"
)

// programs is the folder TestMain built nightjar, nightjar-hub and nightjarctl into.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nightjar-e2e-")
	if err == nil {
		programs = dir
		build := exec.Command("go", "build", "-o", dir+"/", "../../nightjar", "../../nightjar-hub", "../../nightjarctl")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		err = build.Run()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the programs under test:", err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// A site is one owner, one hub and one camera in a folder of their own.
type site struct {
	t      *testing.T
	dir    string
	addr   string // the hub's, kept across its restarts
	hub    *proctest.Process
	agents int // starts of the agent so far, to number its logs
}

const device = "porch"

// newSite makes the owner's key, the hub and an enrolled camera, and leaves the hub running.
func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteBehind(t, func(hub string) string { return hub })
}

// newSiteBehind makes one whose camera knows the hub by another address than its own.
func newSiteBehind(t *testing.T, front func(hub string) string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	s.run("nightjarctl", "keygen", "-o", s.path("owner.key"))
	s.run("nightjar-hub", "init", "--dir", s.path("hub"))
	s.startHub()
	token := strings.TrimSpace(s.run("nightjar-hub", "token", "--dir", s.path("hub"), "--device", device))
	s.run("nightjar", "enroll", "--state", s.path("camera"), "--hub", front(s.addr), "--token", token, "--recipient", s.recipient())
	return s
}

func (s *site) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// recipient is the public half that keygen wrote as a comment into the owner's file, as age-keygen does.
func (s *site) recipient() string {
	s.t.Helper()
	key, err := os.ReadFile(s.path("owner.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(key)) {
		if r, ok := strings.CutPrefix(line, "# public key: "); ok {
			return strings.TrimSpace(r)
		}
	}
	s.t.Fatalf("no public key in owner.key")
	return ""
}

// run runs a program to its end and returns what it printed; a non-zero exit fails the test.
func (s *site) run(name string, args ...string) string {
	s.t.Helper()
	out, stderr, err := s.try(name, args...)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr)
	}
	return out
}

func (s *site) try(name string, args ...string) (stdout, stderr string, err error) {
	var o, e bytes.Buffer
	cmd := exec.Command(filepath.Join(programs, name), args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// config writes the camera's configuration: the given camera section, short clips, everything else as shipped.
func (s *site) config(name, camera string) string {
	s.t.Helper()
	file := s.path(name)
	text := fmt.Sprintf("state: %s\n%s", s.path("camera"), camera)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

func (s *site) startHub() {
	s.t.Helper()
	s.hub = s.start("hub.log", "nightjar-hub", "run", "--dir", s.path("hub"), "--listen", s.addr)
	for range 400 {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			c.Close()
			return
		}
		if s.hub.Done() {
			s.t.Fatalf("hub ended at start:\n%s", s.hub.Log())
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.t.Fatalf("hub does not listen on %s:\n%s", s.addr, s.hub.Log())
}

func (s *site) startAgent(config string, args ...string) *proctest.Process {
	s.t.Helper()
	s.agents++
	return s.start(fmt.Sprintf("agent-%03d.log", s.agents), "nightjar", append([]string{"run", "--config", config}, args...)...)
}

func (s *site) start(log, name string, args ...string) *proctest.Process {
	s.t.Helper()
	return proctest.Start(s.t, s.path("logs", log), append([]string{filepath.Join(programs, name)}, args...)...)
}

// clip is a row of `nightjarctl clips ls --json`.
type clip struct {
	ID         string    `json:"id"`
	Seq        uint64    `json:"seq"`
	Start      time.Time `json:"start"`
	PTSUS      int64     `json:"pts_us"` // since the source was opened
	DurationUS int64     `json:"duration_us"`
	PreRollUS  int64     `json:"pre_roll_us"`
	Frames     int       `json:"frames"`
	Bytes      int64     `json:"bytes"`
	Trigger    string    `json:"trigger"`
	State      string    `json:"state"`
	Upload     string    `json:"upload"`
}

func (s *site) clips() []clip {
	s.t.Helper()
	var rows []clip
	out := s.run("nightjarctl", "clips", "ls", "--store", s.path("hub"), "-i", s.path("owner.key"), "--json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		s.t.Fatalf("clips ls --json: %v\n%s", err, out)
	}
	return rows
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
