// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// twoCameras is what rpicam-vid --list-cameras of a Pi 5 says, by the program's source.
const twoCameras = `Available cameras
-----------------
0 : imx708_wide [4608x2592 10-bit RGGB] (/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]

1 : imx219 [3280x2464 10-bit RGGB] (/base/axi/pcie@120000/rp1/i2c@80000/imx219@10)
    Modes: 'SRGGB8' : 640x480 [206.65 fps - (1000, 752)/1280x960 crop]

`

func TestList(t *testing.T) {
	got, err := List(program(t, manner{Cameras: twoCameras}))
	if err != nil {
		t.Fatal(err)
	}
	want := []Camera{
		{0, "imx708_wide", "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a", "4608x2592 10-bit RGGB"},
		{1, "imx219", "/base/axi/pcie@120000/rp1/i2c@80000/imx219@10", "3280x2464 10-bit RGGB"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got, err := List(program(t, manner{Cameras: "No cameras available!\n"})); err != nil || len(got) != 0 {
		t.Errorf("without a camera: %v, %v", got, err)
	}
	if _, err := List(program(t, manner{Exit: 255})); err == nil {
		t.Error("a program that fails lists cameras")
	}
}

func TestChoose(t *testing.T) {
	path := program(t, manner{Cameras: twoCameras + "2 : imx219 [3280x2464 10-bit RGGB] (/base/mux/imx219@11)\n"})
	for want, index := range map[string]int{
		"": 0, "0": 0, "7": 7, "imx708_wide": 0, "/base/mux/imx219@11": 2, "/base/axi/pcie@120000/rp1/i2c@80000/imx219@10": 1,
	} {
		if got, err := choose(path, want); err != nil || got != index {
			t.Errorf("camera %q: %d, %v; want %d", want, got, err, index)
		}
	}
	for want, say := range map[string]string{"imx219": "2 have this sensor", "imx477": "/base/mux/imx219@11", "-1": "there is none"} {
		if _, err := choose(path, want); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("camera %q: error %v does not say %q", want, err, say)
		}
	}
	if _, err := choose(program(t, manner{}), "imx477"); err == nil || !strings.Contains(err.Error(), "ribbon") {
		t.Errorf("no camera at all: %v", err)
	}
}

// Open fails before anything streams where the program is not there, or is not what it should be.
func TestOpen(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, want string }{
		{"missing", filepath.Join(t.TempDir(), "rpicam-vid"), "apt install rpicam-apps-lite"},
		{"not executable", plain, "must be allowed to run it"},
		{"old", program(t, manner{Version: "libcamera-apps build: f74361ee6a56 23-06-2023 (13:54:32)\n"}), "full-upgrade"},
		{"another program", program(t, manner{Version: "ffmpeg version 5.1\n"}), "does not say that it is of rpicam-apps"},
	} {
		d, err := New(small(test.path))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Open(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v does not say %q", test.name, err, test.want)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: close: %v", test.name, err)
		}
	}
	for version, want := range map[string]string{
		"rpicam-apps build: 49344f2a8d18-intree 15-11-2023 (09:01:52)\nlibcamera build: v0.1.0\n": "49344f2a8d18-intree", // 1.4
		recentVersion: "v1.9.1",
	} {
		d, err := New(small(program(t, manner{Version: version})))
		if err == nil {
			err = d.Open()
		}
		if err != nil || !strings.Contains(d.String(), want) {
			t.Errorf("%q: %v, %v", version, d, err)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Config{Width: 640, Height: 360, Rate: 15}
	for _, test := range []struct {
		want   string // of the error; nothing where it is valid
		change func(*Config)
	}{
		{"", func(*Config) {}},
		{"choose 768 or 896", func(c *Config) { c.Width = 800 }},
		{"choose 128 or 256", func(c *Config) { c.Width = 64 }},
		{"even", func(c *Config) { c.Height = 361 }},
		{"more than", func(c *Config) { c.Width, c.Height = 128<<12, 1<<20 }},
		{"1 to 120", func(c *Config) { c.Rate = 0 }},
		{"1 to 120", func(c *Config) { c.Rate = 121 }},
		{"0 or 180", func(c *Config) { c.Rotation = 90 }},
		{"", func(c *Config) { c.Rotation, c.HFlip = 180, true }},
		{"", func(c *Config) { c.Focus = "0.5" }},
		{"dioptres", func(c *Config) { c.Focus = "near" }},
		{"dioptres", func(c *Config) { c.Focus = "-1" }},
		{"dioptres", func(c *Config) { c.Focus = "NaN" }},
		{"negative", func(c *Config) { c.Frames = -1 }},
	} {
		c := good
		test.change(&c)
		_, err := New(c)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", c, err, test.want)
		}
	}
}

// The command line is fixed: nothing of the configuration gets there but numbers.
func TestArgs(t *testing.T) {
	c := Config{Program: "/x", Camera: "imx708", Width: 640, Height: 360, Rate: 29.97, Rotation: 180, HFlip: true, VFlip: true, Focus: "0.5"}
	want := "--timeout 0 --nopreview --verbose 1 --camera 1 --codec yuv420 --width 640 --height 360 --framerate 29.97 --flush" +
		" --output - --metadata /dev/fd/3 --metadata-format txt --rotation 180 --hflip --vflip --autofocus-mode manual --lens-position 0.5"
	if got := strings.Join(c.args(1), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for focus, want := range map[string]string{"": "", "once": "--autofocus-mode auto", "continuous": "--autofocus-mode continuous"} {
		if got, _ := focusArgs(focus); strings.Join(got, " ") != want {
			t.Errorf("focus %q: %q", focus, got)
		}
	}
}

// The program sees nothing of the agent's environment.
func TestEnvironmentIsCut(t *testing.T) {
	t.Setenv("LD_PRELOAD_OF_SOMEBODY", "1")
	p, err := launch("/usr/bin/env", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	text := make([]byte, 4096)
	n, _ := p.out.Read(text)
	if got, want := string(text[:n]), "PATH=/usr/local/bin:/usr/bin:/bin\nLC_ALL=C\n"; got != want {
		t.Errorf("environment %q, want %q", got, want)
	}
}

func FuzzCameras(f *testing.F) {
	f.Add([]byte(twoCameras))
	f.Add([]byte("0 : a [b] (c)\n\x1b[1m1 : [ [] ()"))
	f.Fuzz(func(t *testing.T, out []byte) {
		all := parseCameras(out)
		if len(all) > maxCameras {
			t.Errorf("%d cameras", len(all))
		}
		for _, c := range all {
			if c.Index < 0 || c.Index > 255 || strings.ContainsAny(c.Sensor+c.ID+c.About, "\x1b\n") {
				t.Errorf("camera %+v", c)
			}
		}
	})
}

func FuzzConfigured(f *testing.F) {
	f.Add("[1:2] INFO Camera camera.cpp:1209 configuring streams: (0) 640x360-YUV420/sYCC (1) 640x480-SBGGR10_CSI2P/RAW")
	f.Add("configuring streams: (0) 640x480-SBGGR10_CSI2P")
	f.Fuzz(func(t *testing.T, line string) {
		if w, h, ok := configured(clean([]byte(line))); ok && (w <= 0 || h <= 0) {
			t.Errorf("%dx%d", w, h)
		}
	})
}
