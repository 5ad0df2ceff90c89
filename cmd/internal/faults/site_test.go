// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// programs is the folder that `make build` put nightjar, nightjar-hub and nightjarctl into.
var programs string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if os.Getenv("NIGHTJAR_FAULTS") == "" {
		fmt.Println("the fault rigs are not run: `make faults` does")
		return 0
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the fault rigs need root (network namespaces, mounts, ptrace): run `make faults` as root")
		return 1
	}
	dir, err := os.MkdirTemp("", "nightjar-faults-")
	if err == nil {
		defer os.RemoveAll(dir)
		programs = dir
		build := exec.Command("make", "-s", "-C", "../../..", "build", "BUILD="+dir)
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the programs under test:", err)
		return 1
	}
	return m.Run()
}

// A site is one owner, one hub and its cameras in a folder of their own.
type site struct {
	t    *testing.T
	dir  string
	addr string // the hub's, kept across its restarts
	hub  *process
	runs atomic.Int32 // of agents, to number their logs
	// behind gives way to sites that measure what the camera misses: this one works as fast as it can.
	behind bool
}

const device = "porch"

// newSite makes the owner's key, the hub and an enrolled camera, and leaves the hub running on a loopback port.
func newSite(t *testing.T) *site {
	t.Helper()
	s := newHub(t, t.TempDir(), freeAddr(t))
	s.enroll(device, s.addr)
	return s
}

// newHub makes the owner's key and a running hub.
func newHub(t *testing.T, dir, addr string) *site {
	t.Helper()
	s := &site{t: t, dir: dir, addr: addr}
	s.run("nightjarctl", "keygen", "-o", s.path("owner.key"))
	s.run("nightjar-hub", "init", "--dir", s.path("hub"))
	s.startHub()
	return s
}

// enroll makes the camera's state in the folder of its name. It reaches the hub by the address via, now and later.
func (s *site) enroll(device, via string) {
	s.t.Helper()
	token := strings.TrimSpace(s.run("nightjar-hub", "token", "--dir", s.path("hub"), "--device", device))
	s.run("nightjar", "enroll", "--state", s.path(device), "--hub", via, "--token", token, "--recipient", s.recipient())
}

func (s *site) path(elem ...string) string { return filepath.Join(append([]string{s.dir}, elem...)...) }

// recipient is the public half that keygen wrote as a comment into the owner's file, as age-keygen does.
func (s *site) recipient() string {
	s.t.Helper()
	key, err := os.ReadFile(s.path("owner.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(key), "# public key: ")
	r, _, _ := strings.Cut(rest, "\n")
	if r == "" {
		s.t.Fatal("no public key in owner.key")
	}
	return strings.TrimSpace(r)
}

// run runs a program to its end and returns what it printed; a non-zero exit fails the test.
func (s *site) run(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(programs, name), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// short clips: what a rig sends many of. A clip has some 150 kB and three seconds.
const shortClips = "clip:\n  pre_roll: 500ms\n  post_roll: 500ms\n  margin: 0s\n  ring_bytes: 16777216\n"

// film has five clips, as fast as the machine goes; live is endless, in real time.
const (
	film = "camera:\n  source: synthetic\n  speed: 0\n" + shortClips
	live = "camera:\n  source: synthetic\n  loop: true\n" + shortClips
)

// config writes a camera's configuration and returns its file.
func (s *site) config(device, text string) string {
	s.t.Helper()
	f, err := os.CreateTemp(s.dir, device+"-*.yml")
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "state: %s\n%s", s.path(device), text)
	return f.Name()
}

func (s *site) startHub(wrap ...string) {
	s.t.Helper()
	s.hub = s.start("hub.log", append(wrap, s.hubCommand()...)...)
	s.awaitHub()
}

func (s *site) hubCommand() []string {
	return []string{filepath.Join(programs, "nightjar-hub"), "run", "--dir", s.path("hub"), "--listen", s.addr}
}

func (s *site) awaitHub() {
	s.t.Helper()
	await(s.t, 20*time.Second, "the hub to listen", func() bool {
		if s.hub.Done() {
			s.t.Fatalf("hub ended at start:\n%s", s.hub.Log())
		}
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// agent is the command line of a camera's agent.
func (s *site) agent(config string, args ...string) []string {
	return append([]string{filepath.Join(programs, "nightjar"), "run", "--config", config}, args...)
}

// startAgent starts a camera's agent, behind the words of wrap.
func (s *site) startAgent(device, config string, args []string, wrap ...string) *process {
	s.t.Helper()
	return s.start(s.agentLog(device), append(wrap, s.agent(config, args...)...)...)
}

func (s *site) agentLog(device string) string {
	return fmt.Sprintf("%s-%05d.log", device, s.runs.Add(1))
}

// drain lets a camera send all that it has, with five more clips.
func (s *site) drain(device string) {
	s.t.Helper()
	s.startAgent(device, s.config(device, film), []string{"--drain"}).Wait(s.t, 3*time.Minute)
}

// clip is a row of `nightjarctl clips ls --json`.
type clip struct {
	Device  string `json:"device"`
	ID      string `json:"id"`
	State   string `json:"state"`
	Dropped int    `json:"dropped"`
	Bytes   int64  `json:"bytes"`
}

func (s *site) clips() []clip {
	s.t.Helper()
	var rows []clip
	out := s.run("nightjarctl", "clips", "ls", "--store", s.path("hub"), "--json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		s.t.Fatalf("clips ls --json: %v\n%s", err, out)
	}
	return rows
}

// recorded is the agent's log line once it has promised a clip: from then on it may not be lost.
var recorded = regexp.MustCompile(`msg="clip recorded".* id=([0-9a-f]{32})`)

// promised returns the clips that the camera's logs speak of.
func (s *site) promised(device string) (ids []string) {
	s.t.Helper()
	for _, m := range recorded.FindAllStringSubmatch(s.agentLogs(device), -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func (s *site) agentLogs(device string) string {
	s.t.Helper()
	logs, err := filepath.Glob(s.path("logs", device+"-*.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range logs {
		b, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// verify checks that each promised clip of the camera is in the hub exactly once and that the owner finds every signature, hash
// and link in order. It returns how many were promised and how many were lost or doubled.
func (s *site) verify(device string) (promised, wrong int) {
	s.t.Helper()
	stored := map[string]int{}
	for _, c := range s.clips() {
		if c.State == "stored" && c.Device == device {
			stored[c.ID]++
		}
	}
	for _, id := range s.promised(device) {
		promised++
		if n := stored[id]; n != 1 {
			wrong++
			s.t.Errorf("clip %s was recorded and is %d times in the hub", id, n)
		}
	}
	s.run("nightjarctl", "clips", "verify", "--store", s.path("hub"))
	return promised, wrong
}

var ports atomic.Int32

// freeAddr returns an address that is free and stays so while a hub restarts: its port is below those that the kernel gives away.
func freeAddr(t *testing.T) string {
	t.Helper()
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+(os.Getpid()*40+int(ports.Add(1)))%12000)
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
}

// await waits until done reports true; the limit is patience, not a figure.
func await(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}
