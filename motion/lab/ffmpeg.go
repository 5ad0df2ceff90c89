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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// ErrNoFFmpeg is returned for a film that only ffmpeg can read or write where there is none.
var ErrNoFFmpeg = errors.New("ffmpeg is not installed; install ffmpeg (apt install ffmpeg), or give a Motion JPEG AVI or a Y4M file")

// ErrBadFilm is returned for a film that ffmpeg cannot read, too.
var ErrBadFilm = errors.New("not a film that can be read")

// fileURL names a file so that neither a dash nor "concat:" or "http:" at its beginning means anything to ffmpeg.
func fileURL(path string) string { return "file:" + path }

// luma is the filter that hands out the Y plane as the film has it. -pix_fmt gray would stretch a limited range.
const luma = "format=pix_fmts=yuv420p|yuvj420p|yuv422p|yuvj422p|yuv444p|yuvj444p|gray,extractplanes=planes=y"

// ffmpegFilm is a film that ffmpeg decodes in a process of its own.
type ffmpegFilm struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	pipe   io.ReadCloser
	stderr *complaint
	plane  motion.Plane
	times  []time.Duration
	n      int
	step   time.Duration // from the last known time on
	ended  error
}

func openFFmpeg(ctx context.Context, path string) (*Film, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no plain file", ErrBadFilm)
	}
	f, times, err := probe(ctx, path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	d := &ffmpegFilm{
		cancel: cancel, stderr: new(complaint), times: times, step: time.Duration(float64(time.Second) / f.FPS),
		plane: motion.Plane{Pix: make([]byte, f.Width*f.Height), Stride: f.Width, W: f.Width, H: f.Height},
	}
	d.cmd = exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-noautorotate", "-threads", "1",
		"-i", fileURL(path), "-map", "0:v:0", "-fps_mode", "passthrough", "-vf", luma, "-f", "rawvideo", "pipe:1")
	d.cmd.Stderr = d.stderr
	d.pipe, err = d.cmd.StdoutPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, missing(err)
	}
	f.decoder = d
	return f, nil
}

// missing turns the error for a program that is not there into ErrNoFFmpeg.
func missing(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return ErrNoFFmpeg
	}
	return err
}

func (d *ffmpegFilm) next() (motion.Plane, time.Duration, error) {
	if d.ended != nil {
		return motion.Plane{}, 0, d.ended
	}
	if _, err := io.ReadFull(d.pipe, d.plane.Pix); err != nil {
		d.ended = d.end(err)
		return motion.Plane{}, 0, d.ended
	}
	pts := d.time(d.n)
	d.n++
	return d.plane, pts, nil
}

// time returns when frame n is shown; ffmpeg may make more frames than the container counts.
func (d *ffmpegFilm) time(n int) time.Duration {
	if n < len(d.times) {
		return d.times[n]
	}
	if len(d.times) == 0 {
		return time.Duration(n) * d.step
	}
	return d.times[len(d.times)-1] + time.Duration(n-len(d.times)+1)*d.step
}

// end waits for ffmpeg and tells why there are no more frames.
func (d *ffmpegFilm) end(cause error) error {
	failed := d.cmd.Wait()
	switch {
	case failed != nil || !errors.Is(cause, io.EOF):
		return fmt.Errorf("%w: ffmpeg stopped inside the film: %s", ErrBadFilm, d.stderr.text(failed))
	case d.n == 0:
		return fmt.Errorf("%w: it has no frames: %s", ErrBadFilm, d.stderr.text(nil))
	}
	return io.EOF
}

func (d *ffmpegFilm) close() error {
	d.cancel()
	if d.ended == nil {
		d.ended = errors.New("film is closed")
		_ = d.cmd.Wait() // it was killed: its error says only that
	}
	return nil
}

// probe asks ffprobe for the size, the rate and the times of the frames. Nothing is decoded for it: a packet is a frame, and
// frames are shown in the order of their times.
func probe(ctx context.Context, path string) (*Film, []time.Duration, error) {
	cmd := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-protocol_whitelist", "file", "-select_streams", "v:0",
		"-show_entries", "stream=width,height,avg_frame_rate,r_frame_rate:packet=pts_time,dts_time,flags", "-of", "compact", "-i", fileURL(path))
	stderr := new(complaint)
	cmd.Stderr = stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, missing(err)
	}
	f, times, err := parseProbe(pipe)
	_, _ = io.Copy(io.Discard, pipe)
	if failed := cmd.Wait(); failed != nil {
		return nil, nil, fmt.Errorf("%w: ffprobe: %s", ErrBadFilm, stderr.text(failed))
	}
	return f, times, err
}

// parseProbe reads ffprobe's lines "packet|key=value|..." and "stream|key=value|...".
func parseProbe(r io.Reader) (*Film, []time.Duration, error) {
	f := &Film{}
	var times []time.Duration
	lines := bufio.NewScanner(io.LimitReader(r, maxFrames*128))
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), "|")
		v := map[string]string{}
		for pair := range strings.SplitSeq(rest, "|") {
			key, value, _ := strings.Cut(pair, "=")
			v[key] = value
		}
		switch kind {
		case "packet":
			t, ok := parseTime(v["pts_time"])
			if !ok {
				t, ok = parseTime(v["dts_time"])
			}
			if ok && !strings.Contains(v["flags"], "D") && len(times) < maxFrames { // D: decoded, but not shown
				times = append(times, t)
			}
		case "stream":
			f.Width, _ = strconv.Atoi(v["width"])
			f.Height, _ = strconv.Atoi(v["height"])
			f.FPS = parseFraction(v["avg_frame_rate"])
			if f.FPS == 0 {
				f.FPS = parseFraction(v["r_frame_rate"])
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("ffprobe: %w", err)
	}
	if f.Width < 1 || f.Height < 1 || f.Width > maxEdge || f.Height > maxEdge {
		return nil, nil, fmt.Errorf("%w: pictures of %dx%d, each edge must be 1 to %d", ErrBadFilm, f.Width, f.Height, maxEdge)
	}
	if f.FPS == 0 {
		f.FPS = 25
	}
	slices.Sort(times)
	for i := len(times) - 1; i >= 0; i-- {
		times[i] -= times[0]
	}
	return f, times, nil
}

// parseTime reads seconds with decimals, without the rounding of a float.
func parseTime(s string) (time.Duration, bool) {
	whole, part, _ := strings.Cut(s, ".")
	neg := strings.HasPrefix(whole, "-")
	sec, err := strconv.ParseInt(strings.TrimPrefix(whole, "-"), 10, 32)
	if err != nil || len(part) > 9 {
		return 0, false
	}
	ns, err := strconv.ParseUint(part+"000000000"[len(part):], 10, 64)
	if err != nil {
		return 0, false
	}
	t := time.Duration(sec)*time.Second + time.Duration(ns)
	if neg {
		t = -t
	}
	return t, true
}

// parseFraction reads a rate such as 30000/1001; 0 is none that makes sense.
func parseFraction(s string) float64 {
	num, den, _ := strings.Cut(s, "/")
	n, err1 := strconv.ParseUint(num, 10, 32)
	d, err2 := strconv.ParseUint(den, 10, 32)
	if err1 != nil || err2 != nil || n == 0 || d == 0 || float64(n)/float64(d) > maxFPS {
		return 0
	}
	return float64(n) / float64(d)
}

// encoder is an ffmpeg that writes a film of raw RGB pictures.
type encoder struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr *complaint
}

func startEncoder(ctx context.Context, out string, width, height int, fps float64) (*encoder, error) {
	e := &encoder{stderr: new(complaint)}
	e.cmd = exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
		"-s", fmt.Sprintf("%dx%d", width, height), "-r", strconv.FormatFloat(fps, 'f', 4, 64), "-i", "pipe:0",
		"-an", "-pix_fmt", "yuv420p", "-y", fileURL(filepath.Clean(out)))
	e.cmd.Stderr = e.stderr
	var err error
	if e.stdin, err = e.cmd.StdinPipe(); err == nil {
		err = e.cmd.Start()
	}
	if err != nil {
		return nil, missing(err)
	}
	return e, nil
}

// finish ends the film. An error of a write before is less telling than what ffmpeg says, so it is given here.
func (e *encoder) finish(written error) error {
	err := e.stdin.Close()
	if failed := e.cmd.Wait(); failed != nil {
		return fmt.Errorf("ffmpeg cannot write it: %s", e.stderr.text(failed))
	}
	return errors.Join(written, err)
}

// complaint keeps the beginning of what a program complains of.
type complaint struct{ buf bytes.Buffer }

func (t *complaint) Write(p []byte) (int, error) {
	if room := 2000 - t.buf.Len(); room > 0 {
		t.buf.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// text returns the first line of the complaint.
func (t *complaint) text(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(t.buf.String()), "\n")
	switch {
	case line != "":
		return line
	case err != nil:
		return err.Error()
	}
	return "ffmpeg says nothing of it"
}
