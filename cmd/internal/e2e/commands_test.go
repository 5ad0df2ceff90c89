// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestCommands gives commands to a running camera by the hub's command line.
func TestCommands(t *testing.T) {
	s := newSite(t)
	agent := s.startAgent(s.config("camera.yml", "camera:\n  source: synthetic\n  loop: true\n"))
	order := func(args ...string) (answer struct {
		Seq   uint64
		State string
		Data  map[string]any
	}) {
		t.Helper()
		out := s.run("nightjar-hub", append([]string{"command", "--dir", s.path("hub"), "--json", device}, args...)...)
		if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.State != "done" {
			t.Fatalf("%v: %v\n%s\n%s", args, err, out, agent.Log())
		}
		return answer
	}
	status := order("status")
	if status.Data["connected"] != true || status.Data["paused"] != false || status.Data["quality"] == "unset" {
		t.Errorf("status %v", status.Data)
	}
	order("upload.pause")
	if again := order("status"); again.Data["paused"] != true || again.Seq <= status.Seq {
		t.Errorf("status when paused: %+v", again)
	}
	order("upload.resume")
	order("upload.retry")
	order("motion.reset-busy")
	if busy := order("motion.busy"); busy.Data["cols"].(float64) < 10 || len(busy.Data["rows"].([]any)) < 5 {
		t.Errorf("busy map %v", busy.Data)
	}
	if shown := order("config.show"); !strings.Contains(shown.Data["yaml"].(string), "source: synthetic") {
		t.Errorf("configuration %v", shown.Data)
	}
	// A new configuration is in force after a restart of the tasks, and kept when the hub is reached with it.
	order("config.set", `{"yaml":"motion:\n  sensitivity: 1.5\n"}`)
	for range 200 {
		if strings.Contains(agent.Log(), "code=config-kept") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if shown := order("config.show"); !strings.Contains(shown.Data["yaml"].(string), "sensitivity: 1.5") {
		t.Errorf("configuration %v\n%s", shown.Data, agent.Log())
	}
	for want, args := range map[string][]string{
		"nothing listens there": {"hub.set", `{"hub":"127.0.0.1:1"}`},
		"is no HOST:PORT":       {"hub.set", `{"hub":"hub.lan"}`},
		"not set from afar":     {"config.set", `{"yaml":"state: /tmp"}`},
		"unknown field":         {"status", `{"verbose":true}`},
		"not on this camera":    {"upload.request", `{"clip":"00000000000000000000000000000000"}`},
		"there is no command":   {"reboot"},
	} {
		_, stderr, err := s.try("nightjar-hub", append([]string{"command", "--dir", s.path("hub"), device}, args...)...)
		if err == nil || !strings.Contains(stderr, want) {
			t.Errorf("%v: %v, %s", args, err, stderr)
		}
	}
	// A camera that is away gets it when it is back.
	agent.Kill()
	if out := s.run("nightjar-hub", "command", "--dir", s.path("hub"), "--wait", "0s", device, "upload.pause"); !strings.HasPrefix(out, "waiting") {
		t.Errorf("answer of a camera that is away: %s", out)
	}
	agent = s.startAgent(s.path("camera.yml"))
	for range 200 {
		if strings.Contains(agent.Log(), "code=command-obeyed command=upload.pause") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("the command did not reach the camera when it was back:\n%s\n%s", agent.Log(), s.hub.Log())
}
