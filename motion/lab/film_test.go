// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

const visits = "../../capture/footage/visits.avi"

// writeY4M makes a film at 10 frames a second in full range, out of the luma of each sample.
func writeY4M(t *testing.T, path string, w, h, frames int, luma func(n, x, y int) byte) string {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := bufio.NewWriter(file)
	fmt.Fprintf(b, "YUV4MPEG2 W%d H%d F10:1 Ip C420jpeg XCOLORRANGE=FULL\n", w, h)
	for n := range frames {
		b.WriteString("FRAME\n")
		for i := range w * h {
			b.WriteByte(luma(n, i%w, i/w))
		}
		b.WriteString(strings.Repeat("\x80", w*h/2))
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

// room is a still picture; at uses every luma.
func room(_, x, y int) byte { return byte(60 + 40*(x/9%2) + 30*(y/7%2) + (x*7+y*13)%11) }
func at(n, x, y int) byte   { return byte(n*31 + x*3 + y*5) }

// needFFmpeg skips, visibly, where there is no ffmpeg; it returns a function that runs it.
func needFFmpeg(t *testing.T) func(args ...string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: films in other formats cannot be made")
	}
	return func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
		}
	}
}

// readAll returns copies of all frames.
func readAll(t *testing.T, path string, fps float64) (f *Film, frames []Frame) {
	t.Helper()
	f, err := Open(t.Context(), path, fps)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := f.Next()
		if err == io.EOF {
			if _, again := f.Next(); again != io.EOF {
				t.Errorf("%s: the second end is %v", path, again)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			return f, frames
		}
		if err != nil {
			t.Fatal(err)
		}
		pix := make([]byte, 0, f.Width*f.Height)
		for y := range f.Height {
			pix = append(pix, frame.Plane.Pix[y*frame.Plane.Stride:][:f.Width]...)
		}
		frame.Plane = motion.Plane{Pix: pix, Stride: f.Width, W: f.Width, H: f.Height}
		frames = append(frames, frame)
	}
}

func TestNativeFilms(t *testing.T) {
	t.Setenv("PATH", "") // no ffmpeg is needed
	f, frames := readAll(t, visits, 0)
	if f.Width != 384 || f.Height != 216 || f.FPS != 10 || len(frames) != 854 || frames[853].PTS != 85300*time.Millisecond {
		t.Errorf("visits.avi is %dx%d at %v fps, %d frames, the last at %v", f.Width, f.Height, f.FPS, len(frames), frames[len(frames)-1].PTS)
	}
	path := writeY4M(t, filepath.Join(t.TempDir(), "a.y4m"), 34, 18, 7, at)
	_, frames = readAll(t, path, 4)
	for n, frame := range frames {
		if frame.N != n || frame.PTS != time.Duration(n)*250*time.Millisecond {
			t.Errorf("frame %d is number %d at %v, want 4 frames a second", n, frame.N, frame.PTS)
		}
		for i, v := range frame.Plane.Pix {
			if v != at(n, i%34, i/34) {
				t.Fatalf("frame %d: sample %d is %d", n, i, v)
			}
		}
	}
	if len(frames) != 7 {
		t.Errorf("%d frames, want 7", len(frames))
	}
}

// What ffmpeg decodes is the film's own luma: a limited range is not stretched, an odd size and other times are kept.
func TestFFmpegFilms(t *testing.T) {
	ffmpeg := needFFmpeg(t)
	dir := t.TempDir()
	source := writeY4M(t, filepath.Join(dir, "a.y4m"), 34, 18, 7, at)
	raw := []string{"-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "34x18", "-r", "10", "-i", filepath.Join(dir, "a.raw")}
	ffmpeg("-i", source, "-f", "rawvideo", "-pix_fmt", "yuvj420p", filepath.Join(dir, "a.raw"))
	for name, args := range map[string][]string{
		"limited.mkv": {"-color_range", "tv", "-c:v", "ffv1"},
		"full.mkv":    {"-color_range", "pc", "-c:v", "ffv1"},
		"unsaid.avi":  {"-c:v", "ffv1"}, // an AVI, but no Motion JPEG
	} {
		path := filepath.Join(dir, name)
		ffmpeg(append(append(append([]string{}, raw...), args...), path)...)
		f, frames := readAll(t, path, 0)
		if f.Width != 34 || f.Height != 18 || f.FPS != 10 || len(frames) != 7 {
			t.Errorf("%s is %dx%d at %v fps with %d frames", name, f.Width, f.Height, f.FPS, len(frames))
		}
		for n, frame := range frames {
			if frame.PTS != time.Duration(n)*100*time.Millisecond {
				t.Errorf("%s: frame %d is at %v", name, n, frame.PTS)
			}
			for i, v := range frame.Plane.Pix {
				if v != at(n, i%34, i/34) {
					t.Fatalf("%s: frame %d: sample %d is %d, want %d", name, n, i, v, at(n, i%34, i/34))
				}
			}
		}
	}
	turned := filepath.Join(dir, "turned.mp4") // a phone's: the detector sees it as the sensor does
	ffmpeg("-i", source, "-c:v", "mpeg4", filepath.Join(dir, "plain.mp4"))
	ffmpeg("-i", filepath.Join(dir, "plain.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90", turned)
	_, plain := readAll(t, filepath.Join(dir, "plain.mp4"), 0)
	if _, frames := readAll(t, turned, 0); len(frames) != 7 || !bytes.Equal(frames[3].Plane.Pix, plain[3].Plane.Pix) {
		t.Errorf("turned.mp4 has %d frames, and they are turned; want it as it was recorded", len(frames))
	}
	odd := filepath.Join(dir, "odd.mkv")
	ffmpeg("-i", source, "-vf", "format=yuv444p,crop=33:17,setpts=N*N/10/TB", "-fps_mode", "passthrough", "-c:v", "ffv1", "-pix_fmt", "yuv444p", odd)
	f, frames := readAll(t, odd, 0)
	if f.Width != 33 || f.Height != 17 || len(frames) != 7 || frames[6].PTS != 3600*time.Millisecond || frames[2].PTS != 400*time.Millisecond {
		t.Errorf("odd.mkv is %dx%d, %d frames, the last at %v: want 33x17 and frame n at n*n/10 s", f.Width, f.Height, len(frames), frames[len(frames)-1].PTS)
	}
}

// Names that mean something to ffmpeg are names of files here.
func TestNamesAreFiles(t *testing.T) {
	ffmpeg := needFFmpeg(t)
	t.Chdir(t.TempDir())
	writeY4M(t, "a.y4m", 34, 18, 3, at)
	ffmpeg("-i", "a.y4m", "-c:v", "ffv1", "a.mkv")
	for _, name := range []string{"-version.mkv", "concat:a.mkv", "a|b.mkv", "$(reboot).mkv", "http:x.mkv"} {
		if err := os.Rename("a.mkv", name); err != nil {
			t.Fatal(err)
		}
		if _, frames := readAll(t, name, 0); len(frames) != 3 {
			t.Errorf("%s: %d frames, want 3", name, len(frames))
		}
		if err := os.Rename(name, "a.mkv"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("list.mkv", []byte("#EXTM3U\nhttp://192.0.2.1/x.ts\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "list.mkv", 0); err == nil {
		t.Error("a list of other films was opened")
	}
}

func TestFilmErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := write("notes.mp4", "this is no film\n")
	if _, err := Open(t.Context(), filepath.Join(dir, "none.mp4"), 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a film that is not there: %v", err)
	}
	if _, err := Open(t.Context(), dir, 0); !errors.Is(err, ErrBadFilm) {
		t.Errorf("a folder: %v", err)
	}
	for _, fps := range []float64{-1, 1001} {
		if _, err := Open(t.Context(), visits, fps); err == nil {
			t.Errorf("%v frames per second are taken", fps)
		}
	}
	cut := writeY4M(t, filepath.Join(dir, "cut.y4m"), 34, 18, 3, at)
	if err := os.Truncate(cut, 2000); err != nil {
		t.Fatal(err)
	}
	f, err := Open(t.Context(), cut, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Next()
	}
	if err == io.EOF || !strings.Contains(err.Error(), "frame 2") {
		t.Errorf("a film that is cut off ends with %v, want an error that names frame 2", err)
	}
	t.Run("bad", func(t *testing.T) {
		needFFmpeg(t)
		if _, err := Open(t.Context(), text, 0); !errors.Is(err, ErrBadFilm) {
			t.Errorf("a text: %v", err)
		}
	})
	t.Setenv("PATH", "")
	if _, err := Open(t.Context(), text, 0); !errors.Is(err, ErrNoFFmpeg) || !strings.Contains(err.Error(), "install ffmpeg") {
		t.Errorf("without ffmpeg: %v, want it to say what to install", err)
	}
}

// An end of the context ends reading, and ffmpeg with it.
func TestCancelFilm(t *testing.T) {
	ffmpeg := needFFmpeg(t)
	path := filepath.Join(t.TempDir(), "long.mkv")
	ffmpeg("-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=20", "-c:v", "ffv1", path)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err := Run(ctx, path, 0, nil, motion.DefaultConfig(), func(Verdict) error {
		if seen++; seen == 3 {
			cancel()
		}
		return nil
	})
	if err == nil || seen > 4 {
		t.Errorf("%d frames after the third ended it, error %v", seen-3, err)
	}
}

// backwards is a film whose times fall.
type backwards struct{ n int }

func (b *backwards) next() (motion.Plane, time.Duration, error) {
	if b.n++; b.n > 4 {
		return motion.Plane{}, 0, io.EOF
	}
	return motion.Plane{}, []time.Duration{0, 80, 40, 120}[b.n-1], nil
}

func (b *backwards) close() error { return nil }

func TestTimesNeverFall(t *testing.T) {
	f := &Film{decoder: &backwards{}}
	for i, want := range []time.Duration{0, 80, 80, 120} {
		if frame, err := f.Next(); err != nil || frame.PTS != want || frame.N != i {
			t.Errorf("frame %d is %+v, %v; want it at %d", i, frame, err, want)
		}
	}
}

func TestParseProbe(t *testing.T) {
	f, times, err := parseProbe(strings.NewReader("packet|pts_time=0.120000|dts_time=0.0|flags=K_\npacket|pts_time=0.200000|dts_time=0.040000|flags=__\n" +
		"packet|pts_time=0.160000|dts_time=0.08|flags=__\npacket|pts_time=0.080000|dts_time=N/A|flags=_D\npacket|pts_time=N/A|dts_time=0.24|flags=__\n" +
		"packet|pts_time=N/A|dts_time=N/A|flags=__\nstream|width=640|height=360|r_frame_rate=25/1|avg_frame_rate=0/0\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "[0s 40ms 80ms 120ms]" // sorted, from zero, without the one that is not shown
	if fmt.Sprint(times) != want || f.Width != 640 || f.Height != 360 || f.FPS != 25 {
		t.Errorf("got %v, %+v; want %s, 640x360 at 25", times, f, want)
	}
	d := &ffmpegFilm{times: times, step: 50 * time.Millisecond}
	if d.time(3) != 120*time.Millisecond || d.time(5) != 220*time.Millisecond {
		t.Errorf("frames beyond the known times are at %v, want 220ms", d.time(5))
	}
	for _, text := range []string{"", "stream|width=0|height=3", "stream|width=8193|height=3", "stream|width=x|height=3", "stream|width=3"} {
		if _, _, err := parseProbe(strings.NewReader(text)); !errors.Is(err, ErrBadFilm) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]time.Duration{"0": 0, "1.5": 1500 * time.Millisecond, "-0.25": -250 * time.Millisecond, "3.000000001": 3*time.Second + 1} {
		if got, ok := parseTime(text); !ok || got != want {
			t.Errorf("%q is %v", text, got)
		}
	}
	for _, text := range []string{"", "N/A", "1.x", "1.0000000001", "99999999999"} {
		if got, ok := parseTime(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
	for text, want := range map[string]float64{"30000/1001": 30000.0 / 1001, "0/0": 0, "25/0": 0, "x/1": 0, "": 0, "90000/1": 0} {
		if got := parseFraction(text); got != want {
			t.Errorf("rate %q is %v, want %v", text, got, want)
		}
	}
}

func FuzzParseProbe(f *testing.F) {
	f.Add("packet|pts_time=0.1|flags=K_\nstream|width=4|height=4|avg_frame_rate=25/1\n")
	f.Fuzz(func(t *testing.T, text string) {
		film, times, err := parseProbe(strings.NewReader(text))
		if err != nil {
			return
		}
		if film.Width < 1 || film.Height > maxEdge || film.FPS <= 0 || film.FPS > maxFPS {
			t.Errorf("%+v", film)
		}
		for i := 1; i < len(times); i++ {
			if times[i] < times[i-1] || times[0] != 0 {
				t.Errorf("times fall: %v", times)
			}
		}
	})
}
