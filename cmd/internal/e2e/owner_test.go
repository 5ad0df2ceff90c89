// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOwner commands a running camera as its owner, through a hub that only carries the commands, up to the end of the camera.
func TestOwner(t *testing.T) {
	s := newSite(t)
	public := strings.TrimSpace(s.run("nightjarctl", "command", "keygen", "-o", s.path("command.key")))
	agent := s.startAgent(s.config("camera.yml", "camera:\n  source: synthetic\n  loop: true\n"))
	sign := func(args ...string) string {
		t.Helper()
		file := s.path("signed")
		jws := s.run("nightjarctl", append([]string{"command", "sign", "--key", s.path("command.key"), "--device", device, "--ttl", "2m"}, args...)...)
		if err := os.WriteFile(file, []byte(jws), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	give := func(file string, wait string) (state, message string) {
		t.Helper()
		out, stderr, _ := s.try("nightjar-hub", "command", "--dir", s.path("hub"), "--json", "--wait", wait, device, "--signed", file)
		var answer struct{ State, Message string }
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			return "", stderr
		}
		return answer.State, answer.Message
	}
	wait := func(what string, there func() bool) {
		t.Helper()
		for range 400 {
			if there() {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("no sign of %s:\n%s\n%s", what, agent.Log(), s.hub.Log())
	}

	// The camera does not answer a stranger. It takes the key while it runs, and with it the command that waits.
	status := sign("status")
	if state, message := give(status, "3s"); state != "waiting" {
		t.Errorf("by a stranger: %s, %s", state, message)
	}
	wait("a refusal", func() bool { return strings.Contains(agent.Log(), "code=command-refused") })
	s.run("nightjar", "owner", "add", "--state", s.path("camera"), public)
	wait("the command's end", func() bool { return strings.Contains(agent.Log(), "command=status by=owner") })
	if state, message := give(status, "1s"); state != "" || !strings.Contains(message, "is there already") {
		t.Errorf("given twice: %s, %s", state, message)
	}
	if state, message := give(sign("upload.pause"), "30s"); state != "done" {
		t.Errorf("by the owner: %s, %s", state, message)
	}

	// The busy map: the agent forgets it when the board is told to, and keeps it when it ends.
	s.run("nightjar", "motion", "reset-busy", "--state", s.path("camera"))
	wait("the map being forgotten", func() bool { return strings.Contains(agent.Log(), "code=busy-forgotten") })
	if err := agent.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	agent.Wait(t, 30*time.Second)
	if rows := strings.Fields(s.run("nightjar", "motion", "busy", "--state", s.path("camera"))); len(rows) < 5 || len(rows[0]) < 10 {
		t.Errorf("busy map %q", rows)
	}
	agent = s.startAgent(s.path("camera.yml"))

	// The hub cannot reset the camera; its owner can, and that is the end of it.
	if _, stderr, err := s.try("nightjar-hub", "command", "--dir", s.path("hub"), device, "factory-reset"); err == nil || !strings.Contains(stderr, "nightjarctl command sign") {
		t.Errorf("by the hub: %v, %s", err, stderr)
	}
	if state, message := give(sign("factory-reset"), "30s"); state != "done" {
		t.Fatalf("reset by the owner: %s, %s\n%s", state, message, agent.Log())
	}
	wait("the agent's end", agent.Done)
	if !strings.Contains(agent.Log(), "this camera is nobody's now") {
		t.Errorf("the agent ended:\n%s", agent.Log())
	}
	for _, gone := range []string{"keys", "spool", "commands", "busy", "resetting"} {
		if _, err := os.Stat(filepath.Join(s.path("camera"), gone)); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
	if out := s.run("nightjar-hub", "devices", "--dir", s.path("hub")); !strings.Contains(out, "unclaimed") {
		t.Errorf("the hub's devices:\n%s", out)
	}
	if _, stderr, err := s.try("nightjar-hub", "token", "--dir", s.path("hub"), "--device", device); err == nil || !strings.Contains(stderr, device+"-2") {
		t.Errorf("a token for the name: %v, %s", err, stderr)
	}
	if rows := s.clips(); len(rows) == 0 {
		t.Error("the hub's clips went with the camera")
	}
	token := strings.TrimSpace(s.run("nightjar-hub", "token", "--dir", s.path("hub"), "--device", device+"-2"))
	s.run("nightjar", "enroll", "--state", s.path("camera"), "--hub", s.addr, "--token", token, "--recipient", s.recipient(), "--owner-key", public)
	if out := s.run("nightjar", "owner", "list", "--state", s.path("camera")); !strings.Contains(out, public) {
		t.Errorf("owners after enrolment: %s", out)
	}
}
