// SPDX-License-Identifier: Apache-2.0

package box

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
	"github.com/nightjar-cam/nightjar/cmd/internal/proctest"
)

// site is an owner and their hub, on the host.
type site struct {
	t    *testing.T
	dir  string
	port string
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) host(name string, args ...string) string {
	s.t.Helper()
	return program(s.t, append([]string{filepath.Join(root, "build", name)}, args...)...)
}

func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	s := &site{t: t, dir: t.TempDir(), port: port}
	s.host("nightjarctl", "keygen", "-o", s.path("owner.key"))
	s.host("nightjar-hub", "init", "--dir", s.path("hub"))
	hub := proctest.Start(t, s.path("hub.log"), filepath.Join(root, "build", "nightjar-hub"), "run", "--dir", s.path("hub"), "--listen", "127.0.0.1:"+port)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return s
		}
		if hub.Done() || time.Now().After(end) {
			t.Fatalf("the hub does not listen: %s", hub.Tail())
		}
	}
}

// recipient is the owner's.
func (s *site) recipient() string {
	s.t.Helper()
	key, err := os.ReadFile(s.path("owner.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(key), "# public key: ")
	recipient, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(recipient)
}

// enrol makes the board a camera of the hub's.
func (s *site) enrol(b *box) {
	s.t.Helper()
	token := strings.TrimSpace(s.host("nightjar-hub", "token", "--dir", s.path("hub"), "--device", "porch"))
	b.run("/bin/nightjar", "enroll", "--state", "/state/nightjar", "--hub", "10.0.2.2:"+s.port, "--token", token, "--recipient", s.recipient())
}

// clips are the ids of what the hub has in whole.
func (s *site) clips() (ids []string) {
	s.t.Helper()
	var rows []struct{ ID, State string }
	out := s.host("nightjarctl", "clips", "ls", "--store", s.path("hub"), "--json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	for _, r := range rows {
		if r.State == "stored" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// start has the board's agent run with a configuration.
func (b *box) start(config string) {
	b.t.Helper()
	b.write("/state/nightjar.yml", "state: /state/nightjar\nrun: /run/nightjar\n"+config)
	b.do(wire.Request{Op: wire.Start, Args: []string{"/bin/nightjar", "run", "--config", "/state/nightjar.yml"}})
}

// status is what the agent says of itself.
type status struct {
	Updated time.Time
	Clock   string
	Boot    string
	Camera  struct {
		Source          string
		Rate            float64
		Frames, Dropped int64
	}
	Hub      struct{ Connected bool }
	Memory   int64 `json:"memory_bytes"`
	Privacy  struct{ Closed bool }
	Wires    map[string]string
	Troubles []struct{ Code string }
}

// status reads it; false while there is none.
func (b *box) status() (s status, ok bool) {
	b.t.Helper()
	r := b.try(wire.Request{Op: wire.Read, Path: "/run/nightjar/status.json"})
	return s, r.Error == "" && json.Unmarshal(r.Output, &s) == nil
}
