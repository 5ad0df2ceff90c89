// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// Greeting implements [console.Site]. Before a login it tells which camera this is, and whether something is wrong; what is wrong, and
// where the camera and its hub are in the network, is for who is logged in. A camera that is not enrolled has no secrets.
func (d *desk) Greeting(v console.Visitor) []string {
	name, enrolled := d.device()
	s, notRunning := readStatus(d.cfg)
	if v.Role == "" && enrolled {
		return d.locked(name, s, notRunning)
	}
	if !enrolled {
		name = "(not enrolled)"
	}
	hub, camera := "not enrolled", "not running"
	wrong := "this camera is not enrolled -> get a token with `nightjar-hub token`, and run `enroll`"
	if enrolled {
		hub = "the agent is starting"
		wrong = "the agent is starting"
		if notRunning == nil {
			hub, camera, wrong = s.Hub.short(), s.Camera.short(), s.worst()
		}
	}
	return []string{
		"nightjar " + name + ", release " + cli.Release(),
		"board    " + boardName("/proc/device-tree"),
		"network  " + networkLine(),
		"hub      " + hub,
		"camera   " + camera,
		"wrong    " + wrong,
	}
}

func (d *desk) locked(name string, s status, notRunning error) []string {
	state := "all is well"
	switch {
	case notRunning != nil:
		state = "the agent is starting"
	case len(s.Troubles) > 0:
		state = "something is wrong: log in to see what, and what to do"
	}
	how := "`login` begins a visit, with an SSH key that this camera knows"
	if d.list.Empty() && len(d.owners()) == 0 {
		how = "nobody can log in: name a key in console.technicians of the configuration"
	}
	return []string{
		"nightjar " + name + ", release " + cli.Release(),
		"board    " + boardName("/proc/device-tree"),
		"identity " + d.fingerprint(),
		"state    " + state,
		"login    " + how,
		"help     `help` shows what can be done, once logged in",
	}
}

func (d *desk) fingerprint() string {
	store, err := openKeys(d.cfg.State)
	if err != nil {
		return "the keys cannot be read"
	}
	identity, err := store.Identity()
	if err != nil {
		return "the keys cannot be read"
	}
	return identity.Fingerprint()
}

func (h hubStatus) short() string {
	switch {
	case h.Connected:
		return h.Address + ", connected"
	case h.Error != "":
		return h.Address + ", not connected: " + h.Error
	}
	return h.Address + ", not connected"
}

func (c cameraStatus) short() string {
	return fmt.Sprintf("%s, %dx%d, %.1f frames/s", c.Source, c.Width, c.Height, c.Rate)
}

// worst is what to see to first, and what to do.
func (s status) worst() string {
	if len(s.Troubles) == 0 {
		return "nothing: all is well"
	}
	worst := s.Troubles[0] // they are sorted
	more := ""
	if n := len(s.Troubles) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more: `status`)", n)
	}
	return worst.Title + more + " -> " + worst.Remedy
}

// boardName reads what the firmware says of the board.
func boardName(tree string) string {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil || len(b) > 256 {
			return ""
		}
		return strings.TrimSpace(string(bytes.TrimRight(b, "\x00")))
	}
	model, serial := read("model"), read("serial-number")
	switch {
	case model == "":
		return "unknown: the firmware does not say"
	case serial == "":
		return model
	}
	return model + ", serial number " + serial
}
