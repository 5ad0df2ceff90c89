// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/capturetest"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"
)

const frame30 = 33 * time.Millisecond

// small is a configuration for a stand-in.
func small(path string) Config { return Config{Program: path, Width: 128, Height: 96, Rate: 30} }

// open opens a camera.
func open(tb testing.TB, cfg Config) (*Driver, *capture.Source) {
	tb.Helper()
	d, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := capture.Register(tb.Name(), d); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { capture.Unregister(tb.Name()) })
	s, err := capture.Open(tb.Name(), prop.Media{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return d, s
}

// readToError reads until the error that must come, and returns it and how many frames were before.
func readToError(tb testing.TB, s *capture.Source) (frames int, err error) {
	tb.Helper()
	for ; ; frames++ {
		f, err := s.Read()
		if err != nil {
			return frames, err
		}
		f.Release()
		if frames > 5000 {
			tb.Fatal("there is no end")
		}
	}
}

// waitGone waits until a process has ended.
func waitGone(tb testing.TB, pid int) {
	tb.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer unix.Close(fd)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000); n == 1 {
			return
		}
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	tb.Errorf("process %d lives", pid)
}

func TestConformance(t *testing.T) {
	path := program(t, manner{Every: frame30})
	capturetest.RunLive(t, func(o capturetest.Options) (driver.Adapter, error) {
		cfg := small(path)
		cfg.Frames = o.Frames
		return New(cfg)
	})
}

// The pictures' planes, times and light are what the program gave.
func TestFrames(t *testing.T) {
	_, s := open(t, small(program(t, manner{Frames: 20, Every: frame30, Skip: 7})))
	var pts time.Duration
	for n := range 20 {
		f, err := s.Read()
		if err != nil {
			t.Fatal(err)
		}
		y, cb, cr := values(n)
		if f.Y[0] != y || f.Y[len(f.Y)-1] != y || f.Cb[0] != cb || f.Cb[len(f.Cb)-1] != cb || f.Cr[0] != cr || f.Cr[len(f.Cr)-1] != cr {
			t.Errorf("frame %d: planes %d %d %d, want %d %d %d", n, f.Y[0], f.Cb[0], f.Cr[0], y, cb, cr)
		}
		if want := float64(10000+n) / 1e6 * 3; f.Light.Exposure < want*0.999 || f.Light.Exposure > want*1.001 || f.Light.Lux != 120.25 {
			t.Errorf("frame %d: %+v, want an exposure of %g", n, f.Light, want)
		}
		if n == 7 && f.PTS-pts < 2*frame30-time.Millisecond {
			t.Errorf("frame %d: %v after the one before, and one was lost", n, f.PTS-pts)
		}
		if n >= 7 && f.Seq == uint64(n) {
			t.Errorf("frame %d: Seq hides that one was lost", n)
		}
		pts = f.PTS
		f.Release()
	}
	if _, err := s.Read(); err == nil || errors.Is(err, capture.ErrClosed) {
		t.Errorf("at the end: %v", err)
	}
}

// Metadata that is not understood is as good as none: the time is that of the frame's coming.
func TestStrangeMetadata(t *testing.T) {
	_, s := open(t, small(program(t, manner{Every: frame30, Record: "\x00\xff=1\nSensorTimestamp=soon\nExposureTime=-1\nLux\n"})))
	for n := range 10 {
		f, err := s.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Seq < uint64(n) || f.Light != (capture.Light{}) {
			t.Errorf("frame %d: Seq %d, %+v", n, f.Seq, f.Light)
		}
		f.Release()
	}
}

// Each way to fail is an error that says what happened and, where that is known, what to do.
func TestFailures(t *testing.T) {
	tests := []struct {
		name   string
		manner manner
		frames int // that come before
		want   []string
	}{
		{"no camera", manner{Frames: -1, Exit: 255, Says: []string{"ERROR: *** no cameras available ***"}}, 0,
			[]string{"exit status 255", "no cameras available", "ribbon cable"}},
		{"in use", manner{Frames: -1, Exit: 255, Says: []string{
			"[0:03:19.472] [3274]  INFO Camera camera.cpp:990 Pipeline handler in use by another process",
			"ERROR: *** failed to acquire camera /base/axi/pcie@120000/rp1/i2c@88000/imx708@1a ***"}}, 0,
			[]string{"failed to acquire", "fuser"}},
		{"ends by itself", manner{Frames: 3}, 3, []string{"it ended"}},
		{"cut off", manner{Frames: 2, Partial: 5000, Then: "crash"}, 2, []string{"frame 2 is cut off", "signal: killed"}},
		{"in the chroma", manner{Frames: 1, Partial: 128 * 96, Then: "crash"}, 1, []string{"frame 1 is cut off"}},
		{"crash", manner{Frames: 2, Then: "crash"}, 2, []string{"signal: killed"}},
		{"timeout", manner{Frames: 1, Exit: 1, Says: []string{"ERROR: Device timeout detected, attempting a restart!!!"}}, 1,
			[]string{"Device timeout", "power supply"}},
		{"output closed", manner{Frames: 1, Then: "close"}, 1, []string{"closed its output"}},
		{"another size", manner{Every: time.Millisecond, Says: []string{
			"[0:01] [9]  INFO Camera camera.cpp:1197 configuring streams: (0) 192x96-YUV420 (1) 640x480-SBGGR10_CSI2P"}}, -1,
			[]string{"192x96 and not 128x96"}},
		{"old metadata", manner{Every: time.Millisecond, Record: "SensorTimestamp=5\n"}, -1, []string{"old when they come", "size"}},
		{"no metadata", manner{Every: frame30, Record: "none"}, 0, []string{"no metadata"}},
		{"colours and noise", manner{Frames: -1, Exit: 1, Says: []string{"Mode selection", "\x1b[1;31mERROR: *** x\x00y ***\x1b[0m"}}, 0,
			[]string{`"ERROR: *** xy ***"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, s := open(t, small(program(t, test.manner)))
			n, err := readToError(t, s)
			if test.frames >= 0 && n != test.frames {
				t.Errorf("%d frames, want %d", n, test.frames)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if _, again := s.Read(); again == nil {
				t.Error("a frame after the error")
			}
			pid := d.reader.process.pid
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			waitGone(t, pid)
		})
	}
}

// When Close has returned the program is gone, whatever it does: the camera is dark. It can be opened again.
func TestCloseEndsProgram(t *testing.T) {
	for name, m := range map[string]manner{
		"while it streams":  {Every: frame30},
		"while it floods":   {},
		"before it streams": {Slow: time.Hour},
		"while it stalls":   {Frames: 1, Then: "stall"},
		"deaf to SIGTERM":   {Every: frame30, Deaf: true},
		"deaf, and floods":  {Deaf: true},
		"with a child":      {Every: frame30, Child: true},
		"mid-frame":         {Frames: 1, Partial: 100, Then: "stall"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := program(t, m)
			d, s := open(t, small(path))
			for range 2 {
				if m.Slow == 0 {
					f, err := s.Read()
					if err != nil {
						t.Fatal(err)
					}
					f.Release()
				}
				pid := d.reader.process.pid
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
					t.Errorf("process %d: %v", pid, err)
				}
				if m.Child {
					waitGone(t, number(t, filepath.Join(filepath.Dir(path), "child")))
				}
				if f, err := s.Read(); !errors.Is(err, capture.ErrClosed) {
					t.Errorf("read after Close: %v, %v", f, err)
				}
				var err error
				if s, err = capture.Open(t.Name(), prop.Media{}); err != nil {
					t.Fatal(err)
				}
			}
			s.Close()
		})
	}
}

// From the beginning of Close on no frame is handed out, although some wait and the program goes on: privacy is from then on.
func TestNoFrameAfterClose(t *testing.T) {
	d, s := open(t, small(program(t, manner{Deaf: true})))
	r := d.reader
	for len(r.frames) < 4 {
		runtime.Gosched()
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	<-r.done
	for range 50 {
		if img, _, err := r.Read(); !errors.Is(err, capture.ErrClosed) {
			t.Fatalf("read during Close: %v, %v", img, err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if n := r.pool.Free(); n != r.pool.Frames() {
		t.Errorf("%d of %d frames were given back", n, r.pool.Frames())
	}
}

func number(tb testing.TB, file string) int {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// An agent that is killed leaves no program behind, which would keep the camera and go on looking.
func TestNoOrphan(t *testing.T) {
	path := program(t, manner{Frames: 1, Then: "stall", Deaf: true}) // one that writes would die of the broken pipe
	agent := exec.Command(filepath.Join(filepath.Dir(path), agentName))
	agent.Stderr = os.Stderr
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	agent.Process.Kill()
	agent.Wait()
	waitGone(t, pid)
}

// Whoever opens a camera may do so from a thread that ends: the program must not end with it.
func TestOpenersThreadEnds(t *testing.T) {
	path := program(t, manner{Every: frame30})
	opened := make(chan *capture.Source)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
		_, s := open(t, small(path))
		opened <- s
	}()
	s := <-opened
	for range 20 {
		f, err := s.Read()
		if err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
}

// Openings leave neither descriptors nor goroutines behind.
func TestNoLeak(t *testing.T) {
	path := program(t, manner{Frames: 1, Then: "stall"})
	count := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	once := func() {
		d, err := New(small(path))
		if err == nil {
			err = d.Open()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.VideoRecord(prop.Media{}); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	once()
	fds, routines := count(), runtime.NumGoroutine()
	for range 10 {
		once()
	}
	for deadline := time.Now().Add(20 * time.Second); count() > fds || runtime.NumGoroutine() > routines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors, %d before; %d goroutines, %d before", count(), fds, runtime.NumGoroutine(), routines)
		}
	}
}

func flood(tb testing.TB) capturetest.Make {
	path := program(tb, manner{})
	return func(capturetest.Options) (driver.Adapter, error) {
		return New(Config{Program: path, Width: 640, Height: 360, Rate: 30})
	}
}

func TestNoAllocations(t *testing.T) { capturetest.ZeroAllocs(t, flood(t)) }

func BenchmarkRead(b *testing.B) { capturetest.Benchmark(b, flood(b)) }
