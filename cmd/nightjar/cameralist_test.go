// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture/rpicam"
	"github.com/nightjar-cam/nightjar/capture/v4l2"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

func TestCameraList(t *testing.T) {
	for name, row := range map[string]struct {
		kernel  []v4l2.Camera
		ribbon  []rpicam.Camera
		err     error
		out, on []string
	}{
		"all": {
			[]v4l2.Camera{{Path: "/dev/video0", Name: "USB", Formats: []string{"YUYV"}, Modes: []v4l2.Mode{{Format: "YUYV", Width: 640, Height: 480, Rate: 30}}},
				{Path: "/dev/video2", Name: "unicam", Trouble: "raw"}},
			[]rpicam.Camera{{Index: 1, Sensor: "imx708"}}, nil,
			[]string{"/dev/video0", "640x480", "up to 30/s", "raw", "imx708"}, nil,
		},
		"none": {nil, nil, errors.New("no program"), []string{"no camera was found"}, []string{"rpicam: no program"}},
	} {
		c := lookForCameras(func() ([]v4l2.Camera, error) { return row.kernel, nil }, func() ([]rpicam.Camera, error) { return row.ribbon, row.err })
		var out, on bytes.Buffer
		if err := c.print(&cli.Env{Stdout: &out, Stderr: &on}); err != nil {
			t.Fatal(err)
		}
		for _, want := range row.out {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, out.String())
			}
		}
		for _, want := range row.on {
			if !strings.Contains(on.String(), want) {
				t.Errorf("%s: no %q on stderr: %s", name, want, on.String())
			}
		}
	}
}

func TestControlValues(t *testing.T) {
	v, err := controlValues([]string{"OSD Text Mode=2", "Gain=-1"})
	if err != nil || v["OSD Text Mode"] != 2 || v["Gain"] != -1 {
		t.Errorf("%v, %v", v, err)
	}
	for _, bad := range []string{"Gain", "=1", "Gain=x", "Gain=99999999999"} {
		if _, err := controlValues([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
