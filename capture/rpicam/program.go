// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// programName is what the program is called since rpicam-apps 1.4; it was libcamera-vid before.
const programName = "rpicam-vid"

// Bounds of a question to the program: it starts every sensor once to list them.
const (
	answerWait  = 10 * time.Second
	answerBytes = 64 << 10
)

// A Camera is one that the program shows.
type Camera struct {
	Index  int    // may change when another is plugged in
	Sensor string // such as imx708
	ID     string // its place in the device tree: stays the same
	About  string // size, depth and colours, such as "4608x2592 10-bit RGGB"
}

// List asks the program at path, empty for the one in PATH, which cameras there are. None is no error. It takes a second or so.
func List(path string) ([]Camera, error) {
	path, err := find(path)
	if err != nil {
		return nil, fmt.Errorf("list cameras: %w", err)
	}
	out, err := ask(path, "--list-cameras")
	if err != nil {
		return nil, fmt.Errorf("list cameras: %w", err)
	}
	return parseCameras(out), nil
}

// find returns the program's absolute path.
func find(path string) (string, error) {
	if path == "" {
		path = programName
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return "", missing(err)
	}
	return filepath.Abs(found)
}

// check asks the program for its version, and returns what it says. A program that is not rpicam-vid must not get further.
func check(path string) (string, error) {
	out, err := ask(path, "--version")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if version, ok := strings.CutPrefix(line, "rpicam-apps build: "); ok {
			return clean([]byte(version)), nil
		}
		if strings.HasPrefix(line, "libcamera-apps build: ") {
			return "", errors.New(tooOld)
		}
	}
	return "", fmt.Errorf("%s does not say that it is of rpicam-apps; %s", path, install)
}

// ask runs the program with one option and returns the beginning of its answer.
func ask(path, option string) ([]byte, error) {
	p, err := launch(path, []string{option}, nil)
	if err != nil {
		return nil, missing(err)
	}
	if err := p.out.SetReadDeadline(time.Now().Add(answerWait)); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	out, err := io.ReadAll(io.LimitReader(p.out, answerBytes))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s %s gives no answer: %w", path, option, err), p.stop())
	}
	if len(out) < answerBytes && p.ends(termWait) && p.status != nil {
		err = fmt.Errorf("%s %s: %w", path, option, p.failure())
	}
	return out, errors.Join(err, p.stop())
}

// maxCameras bounds a list; a Pi 5 with multiplexers has eight.
const maxCameras = 32

// parseCameras reads lines such as "0 : imx219 [3280x2464 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx219@10)".
func parseCameras(out []byte) (all []Camera) {
	in := bufio.NewScanner(bytes.NewReader(out))
	for in.Scan() && len(all) < maxCameras {
		number, rest, found := strings.Cut(clean(in.Bytes()), " : ")
		index, err := strconv.ParseUint(number, 10, 8)
		if !found || err != nil {
			continue
		}
		sensor, rest, found := strings.Cut(rest, " [")
		if !found {
			continue
		}
		about, id, found := strings.Cut(rest, "] (")
		if !found || !strings.HasSuffix(id, ")") {
			continue
		}
		all = append(all, Camera{Index: int(index), Sensor: sensor, About: about, ID: strings.TrimSuffix(id, ")")})
	}
	return all
}

// choose returns the index of the camera that is wanted.
func choose(path, want string) (int, error) {
	if want == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(want, 10, 8); err == nil {
		return int(n), nil // the program checks it
	}
	all, err := List(path)
	if err != nil {
		return 0, err
	}
	var have []string
	index, matches := 0, 0
	for _, c := range all {
		if c.ID == want {
			return c.Index, nil
		}
		if c.Sensor == want {
			index, matches = c.Index, matches+1
		}
		have = append(have, fmt.Sprintf("%d (%s, %s)", c.Index, c.Sensor, c.ID))
	}
	switch {
	case matches == 1:
		return index, nil
	case len(all) == 0:
		return 0, fmt.Errorf("camera %q: %s", want, noCamera)
	case matches > 1:
		return 0, fmt.Errorf("camera %q: %d have this sensor; choose by index or id: %s", want, matches, strings.Join(have, ", "))
	}
	return 0, fmt.Errorf("camera %q: there is none; choose one of %s", want, strings.Join(have, ", "))
}
