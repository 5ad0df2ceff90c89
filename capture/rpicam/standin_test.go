// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/pion/mediadevices/pkg/prop"
)

// The stand-in is this test binary under the name rpicam-vid. It speaks the formats of the real program, by its source, and has
// its ways to fail; which, it reads from a file beside it: its environment is cut.

// manner is how the stand-in behaves.
type manner struct {
	Version string // the answer to --version; empty for that of a recent one
	Cameras string // to --list-cameras
	Says    []string
	Slow    time.Duration // until the first frame
	Frames  int           // that it gives, 0 for no end
	Every   time.Duration // between two frames, 0 as fast as they are read
	Surplus int           // bytes of a frame beyond what was asked for
	Record  string        // in place of a frame's metadata; "none" for none
	Skip    int           // after this frame one is lost by the camera
	Partial int           // bytes of one more frame at the end
	Then    string        // after the frames: stall, crash, close; empty ends with Exit
	Exit    int
	Deaf    bool // to SIGTERM
	Child   bool // has one, which has its stderr
}

const recentVersion = "rpicam-apps build: v1.9.1 8a2a6a3f2b5c 13-10-2025 (11:05:33)\n" +
	"rpicam-apps capabilites: egl:1 qt:1 drm:1 libav:1\nlibcamera build: v0.5.2+99-bfd68f78\n"

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case programName:
		syscall.Exit(standIn(filepath.Dir(os.Args[0]), os.Args[1:])) // os.Exit takes a second under the race detector
	case agentName:
		agent(filepath.Join(filepath.Dir(os.Args[0]), programName))
	}
	os.Exit(m.Run())
}

// program makes a stand-in of a manner, and returns its path.
func program(tb testing.TB, m manner) string {
	tb.Helper()
	dir := tb.TempDir()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range []string{programName, agentName} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "manner"), text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, programName)
}

// standIn is the program; it returns its exit code.
func standIn(dir string, args []string) int {
	var m manner
	text, err := os.ReadFile(filepath.Join(dir, "manner"))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return fails("%v", err)
	}
	switch strings.Join(args, " ") {
	case "--version":
		if m.Version == "" {
			m.Version = recentVersion
		}
		fmt.Print(m.Version)
		return 0
	case "--list-cameras":
		fmt.Print(m.Cameras)
		return m.Exit
	}
	options, err := parse(args)
	if err != nil {
		return fails("%v", err)
	}
	if m.Deaf {
		signal.Ignore(syscall.SIGTERM)
	}
	if m.Child {
		c := exec.Command("sleep", "1000")
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return fails("%v", err)
		}
		os.WriteFile(filepath.Join(dir, "child"), []byte(strconv.Itoa(c.Process.Pid)), 0o600)
	}
	for _, line := range m.Says {
		fmt.Fprintln(os.Stderr, line)
	}
	time.Sleep(m.Slow)
	if m.Frames >= 0 {
		if err := m.film(options); err != nil {
			return fails("%v", err)
		}
	}
	switch m.Then {
	case "stall":
		time.Sleep(time.Hour)
	case "crash":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	case "close":
		os.Stdout.Close()
		time.Sleep(time.Hour)
	}
	return m.Exit
}

func fails(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "ERROR: *** "+format+" ***\n", args...)
	return 255
}

// parse takes the options that rpicam-vid 1.4 has, as boost's parser does; true is for those without a value.
func parse(args []string) (map[string]string, error) {
	flags := map[string]bool{
		"timeout": false, "nopreview": true, "verbose": false, "camera": false, "codec": false, "width": false, "height": false,
		"framerate": false, "flush": true, "output": false, "metadata": false, "metadata-format": false, "rotation": false,
		"hflip": true, "vflip": true, "autofocus-mode": false, "lens-position": false,
	}
	got := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, dashed := strings.CutPrefix(args[i], "--")
		alone, known := flags[name]
		if !dashed || !known {
			return nil, fmt.Errorf("unrecognised option '%s'", args[i])
		}
		got[name] = "true"
		if !alone {
			if i++; i == len(args) {
				return nil, fmt.Errorf("the required argument for option '--%s' is missing", name)
			}
			got[name] = args[i]
		}
	}
	return got, nil
}

// film writes pictures and their metadata, as NullEncoder, FileOutput and Output do.
func (m manner) film(options map[string]string) error {
	w, _ := strconv.Atoi(options["width"])
	h, _ := strconv.Atoi(options["height"])
	if options["codec"] != "yuv420" || options["output"] != "-" || options["timeout"] != "0" || w == 0 || h == 0 {
		return fmt.Errorf("not as the driver calls it: %v", options)
	}
	meta, err := os.OpenFile(options["metadata"], os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "[0:12:33.704] [1201]  INFO Camera camera.cpp:1209 configuring streams: (0) %dx%d-YUV420/sYCC (1) 1536x864-SBGGR10_CSI2P/RAW\n", w, h)
	picture := make([]byte, w*h*3/2+m.Surplus)
	lost := 0
	for n := 0; m.Frames == 0 || n < m.Frames; n++ {
		if n > 0 && n == m.Skip {
			lost++
			time.Sleep(m.Every)
		}
		at := capture.Monotonic()
		if n == 0 || m.Every > 0 { // a flood is of one picture
			paint(picture[:w*h*3/2], w*h, n)
		}
		if _, err := os.Stdout.Write(picture); err != nil {
			return fmt.Errorf("failed to write output bytes")
		}
		if err := m.describe(meta, at, n); err != nil {
			return err
		}
		time.Sleep(m.Every)
	}
	_, err = os.Stdout.Write(picture[:m.Partial])
	return err
}

// describe writes one record, line by line as std::endl does.
func (m manner) describe(to io.Writer, at time.Duration, n int) error {
	record := fmt.Sprintf("ExposureTime=%d\nAnalogueGain=2.000000\nDigitalGain=1.500000\nLux=120.250000\nFrameDuration=%d\n"+
		"ScalerCrop=(0, 0)/4608x2592\nColourGains=[ 1.842715, 1.541882 ]\nAeLocked=true\nSensorTimestamp=%d\n",
		10000+n, m.Every.Microseconds(), at.Nanoseconds())
	switch m.Record {
	case "":
	case "none":
		return nil
	default:
		record = m.Record
	}
	for line := range bytes.Lines([]byte(record + "\n")) {
		if _, err := to.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// paint makes picture n, whose planes are told apart.
func paint(picture []byte, luma, n int) {
	y, cb, cr := values(n)
	for i := range picture {
		switch {
		case i < luma:
			picture[i] = y
		case i < luma*5/4:
			picture[i] = cb
		default:
			picture[i] = cr
		}
	}
}

func values(n int) (y, cb, cr byte) { return byte(16 + n%100), byte(120 + n%16), byte(180 + n%16) }

// agentName is this test binary as an agent that is killed.
const agentName = "agent"

// agent reads frames until it is killed. It says the pid of its program.
func agent(path string) {
	d, err := New(Config{Program: path, Width: 128, Height: 96, Rate: 30})
	if err == nil {
		err = capture.Register(agentName, d)
	}
	if err != nil {
		os.Exit(fails("%v", err))
	}
	s, err := capture.Open(agentName, prop.Media{})
	if err != nil {
		os.Exit(fails("%v", err))
	}
	for first := true; ; first = false {
		f, err := s.Read()
		if err != nil {
			os.Exit(fails("%v", err))
		}
		f.Release()
		if first {
			fmt.Println(d.reader.process.pid)
		}
	}
}
