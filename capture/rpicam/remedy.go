// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// remedies are what to do about what the program says, the more particular first.
var remedies = []struct{ says, do string }{
	{"in use by another process", "another program uses the camera: `sudo fuser -v /dev/media*` names it"},
	{"failed to acquire camera", "another program uses the camera: `sudo fuser -v /dev/media*` names it"},
	{"legacy camera stack", "turn the legacy camera off in raspi-config, and restart the board"},
	{"only supports the Raspberry Pi", "this board is no Raspberry Pi: set camera.source to v4l2"},
	{"no cameras available", noCamera},
	{"selected camera is not available", "set the camera to one that `rpicam-vid --list-cameras` shows"},
	{"unrecognised option", tooOld},
	{"error while loading shared libraries", "its libraries are missing: `sudo apt install --reinstall rpicam-apps-lite`"},
	{"dmaheap", "it cannot get memory for pictures: the agent's user has to be in the group video"},
	{"Permission denied", "the agent's user has to be in the group video"},
	{"failed to allocate capture buffers", "too little contiguous memory: choose a smaller picture, or a larger cma in /boot/firmware/config.txt"},
	{"Device timeout detected", "the sensor gives no pictures: check the ribbon cable at both ends, and the power supply"},
	{"failed to start camera", "the sensor does not start: check the ribbon cable at both ends, and the power supply"},
}

const (
	noCamera = "no camera answers: check that the agent's user is in the group video; with the power off, the ribbon cable at both ends; " +
		"then camera_auto_detect=1, or the sensor's dtoverlay, in /boot/firmware/config.txt"
	tooOld  = "rpicam-apps is too old: `sudo apt update && sudo apt full-upgrade`"
	install = "install it: `sudo apt install rpicam-apps-lite`"
)

// explain makes an error of how the program ended and what it said last. The remedy is at the end, where a person reads it.
func explain(status error, said []string) error {
	how := "it ended"
	var exit *exec.ExitError
	if errors.As(status, &exit) {
		how = "it ended with " + exit.String()
	}
	last := ""
	for _, line := range said { // its errors, or else its last words
		if strings.Contains(line, "ERROR") || !strings.Contains(last, "ERROR") {
			last = line
		}
	}
	if last != "" {
		how += fmt.Sprintf(", and said %q", last)
	}
	if do := remedy(said); do != "" {
		return fmt.Errorf("%s; %s", how, do)
	}
	return errors.New(how)
}

// remedy returns what to do, or nothing where that is not known.
func remedy(said []string) string {
	all := strings.ToLower(strings.Join(said, "\n"))
	for _, r := range remedies {
		if strings.Contains(all, strings.ToLower(r.says)) {
			return r.do
		}
	}
	return ""
}

// missing explains why a program cannot be started.
func missing(err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w; %s", err, install)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; the agent's user must be allowed to run it", err)
	}
	return err
}
