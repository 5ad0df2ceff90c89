// SPDX-License-Identifier: Apache-2.0

package box

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/board/console/linetest"
	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
	"github.com/nightjar-cam/nightjar/keys/technician"
)

// sshKey makes a key of OpenSSH's, and returns its public line.
func (s *site) sshKey(name string) string {
	s.t.Helper()
	program(s.t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", s.path(name))
	public, err := os.ReadFile(s.path(name + ".pub"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(public))
}

// logIn answers the console's challenge as a technician does: with ssh-keygen, and by pasting.
func (s *site) logIn(e *linetest.Line, key string) {
	s.t.Helper()
	e.Send("login\r")
	e.Expect(console.ChallengeBegin)
	text := console.ChallengeBegin + strings.ReplaceAll(e.Expect(console.ChallengeEnd), "\r\n", "\n") + "\n"
	e.Expect("gives up.")
	challenge := s.path("challenge")
	if err := os.WriteFile(challenge, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	os.Remove(challenge + ".sig")
	program(s.t, "ssh-keygen", "-q", "-Y", "sign", "-n", technician.Namespace, "-f", s.path(key), challenge)
	armor, err := os.ReadFile(challenge + ".sig")
	if err != nil {
		s.t.Fatal(err)
	}
	e.Send(strings.ReplaceAll(string(armor), "\n", "\r"))
}

// TestConsole is a technician's visit over the board's second serial port.
func TestConsole(t *testing.T) {
	needBox(t)
	s := newSite(t)
	ann := s.sshKey("ann")
	s.sshKey("mallory")
	b := boot(t, logs(t), "")
	c, err := net.Dial("unix", filepath.Join(b.dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	e := linetest.Over(t, c)
	b.start(vivid + "console:\n  device: /dev/ttyS1\n  technicians: [\"" + ann + "\"]\n")
	if !t.Run("visit", func(t *testing.T) { b.visit(t, s, e) }) {
		return
	}
	t.Run("garbage", func(t *testing.T) { b.standsGarbage(t, e, c) })
	t.Run("lock", func(t *testing.T) { b.locks(t, s, e) })
}

func (b *box) visit(t *testing.T, s *site, e *linetest.Line) {
	e.Expect("nightjar (not enrolled), release")
	e.Send("net\r")
	e.Expect("10.0.2.15")
	e.Send("wifi scan\r")
	e.Expect("wpa_supplicant") // which this board does not have, and is told so
	token := strings.TrimSpace(s.host("nightjar-hub", "token", "--dir", s.path("hub"), "--device", "porch"))
	e.Send("enroll --hub 10.0.2.2:" + s.port + " --token " + token + " --recipient " + s.recipient() + "\r")
	e.Expect("enrolled as porch at")
	b.is("frames, and a session", func(st status) bool { return st.Hub.Connected && st.Camera.Frames > 60 })
	e.Send("doctor\r")
	e.Expect("doctor is for who is logged in")
	s.logIn(e, "ann")
	e.Expect("ann> ")
	e.Send("more off\rdoctor\r")
	e.Expect("hub-session")
	e.Send("focus\r")
	e.Expect("best ")
	e.Expect("best ")
	e.Send("\x03")
	e.Expect("ann> ")
	e.Send("reboot\r")
	e.Expect("the board starts anew")
	b.hello()
	b.again()
	e.Send("\r")
	e.Expect("nightjar porch, release")
	s.happened(b, "console-login")
	row(t, "technician's visit", "net, wifi, enrol, ssh-keygen login, doctor, focus, reboot; the login is a signed event", "a whole visit by script", true)
}

// again starts the agent after a restart, and waits until it works.
func (b *box) again() {
	b.t.Helper()
	b.do(wire.Request{Op: wire.Start, Args: []string{"/bin/nightjar", "run", "--config", "/state/nightjar.yml"}})
	b.is("a session after the restart", func(st status) bool { return st.Hub.Connected && st.Camera.Frames > 60 })
}

// standsGarbage sends noise at the line's pace: ten seconds, a minute with NIGHTJAR_BOARD=long.
func (b *box) standsGarbage(t *testing.T, e *linetest.Line, c net.Conn) {
	most := 10 * time.Second
	if os.Getenv("NIGHTJAR_BOARD") == "long" {
		most = time.Minute
	}
	pid := b.do(wire.Request{Op: wire.Status}).Number
	before, _ := b.status()
	rng := rand.New(rand.NewPCG(1, 2))
	sent := 0
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		noise := make([]byte, 1152)
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		n, err := c.Write(noise)
		if sent += n; err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Second)
	e.Skip()
	e.Send("\x03\r\x03\r")
	e.Expect("nightjar> ")
	b.is("another status", func(st status) bool { return st.Updated.After(before.Updated) })
	after, _ := b.status()
	row(t, "garbage at the console", fmt.Sprintf("%d bytes in %v; the same agent, %d frames meanwhile, %.1f MiB then %.1f", sent, most, after.Camera.Frames-before.Camera.Frames, float64(before.Memory)/(1<<20), float64(after.Memory)/(1<<20)),
		"no harm: same process, frames go on, < 16 MiB more", b.do(wire.Request{Op: wire.Status}).Number == pid && after.Camera.Frames > before.Camera.Frames && after.Memory < before.Memory+16<<20)
}

// locks fails to log in five times, and starts the board anew.
func (b *box) locks(t *testing.T, s *site, e *linetest.Line) {
	for range console.MaxFailures {
		s.logIn(e, "mallory")
		e.Expect("no login")
	}
	e.Send("login\r")
	e.Expect("login is locked for")
	s.happened(b, "console-locked")
	b.restart()
	b.again()
	e.Skip()
	e.Send("\rlogin\r")
	left := e.Expect("login is locked for")
	row(t, "lock-out of the console", fmt.Sprintf("after %d failures, and still after a restart of the board", console.MaxFailures), "locked, over a restart", left != "")
}
