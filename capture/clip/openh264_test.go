// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package clip

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/h264"
	"github.com/nightjar-cam/nightjar/motion"
)

// With the real encoder and an irregular camera, other people's software reads what the summary says.
func TestFilmsPlay(t *testing.T) {
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not installed: run `make deps`", program)
		}
	}
	cfg := shortConfig()
	cfg.Lossless, cfg.MaxLength = true, 4*time.Second
	sink := &fakeSink{}
	r := NewRecorder(cfg, format, func(f capture.Format) (Encoder, error) {
		return h264.New(h264.Config{Width: f.Width, Height: f.Height, FrameRate: f.FrameRate, KeyInterval: 8})
	}, sink, quietLog)
	go r.Run(t.Context())

	pool := capture.NewPool(width, height, 256)
	at := time.Duration(0)
	for seq := range uint64(100) {
		f := newFrame(t, pool, seq, at)
		for i := range f.Y {
			f.Y[i] = byte(uint64(i) + 5*seq)
		}
		r.Push(f, motion.Result{Motion: seq >= 30 && seq < 80, Onset: 3 * time.Second})
		f.Release()
		at += interval
		if seq%7 == 0 {
			at += 123_456_789 // a late frame
		}
	}
	r.Finish()
	<-r.Done()
	if len(sink.lost) != 0 || len(sink.committed()) != 2 {
		t.Fatalf("%d clips, lost %+v", len(sink.committed()), sink.lost)
	}
	for i, o := range sink.committed() {
		got := probe(t, bytes.Join(o.writes, nil))
		want := probed{Codec: "h264", Profile: "Constrained Baseline", Width: width, Height: height, Range: "pc",
			Frames: strconv.Itoa(o.summary.Frames), Duration: got.Duration}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("clip %d (-want +got)\n%s", i, d)
		}
		seconds, err := strconv.ParseFloat(got.Duration, 64)
		if err != nil || math.Abs(seconds-o.summary.Duration.Seconds()) > 0.001 {
			t.Errorf("clip %d: duration %s, want %v", i, got.Duration, o.summary.Duration)
		}
	}
}

// probed is what ffprobe says of the first stream.
type probed struct {
	Codec    string `json:"codec_name"`
	Profile  string `json:"profile"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Range    string `json:"color_range"`
	Frames   string `json:"nb_read_frames"`
	Duration string `json:"-"`
}

// probe decodes a film from end to end, which ffmpeg must do without a complaint.
func probe(t *testing.T, film []byte) probed {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(path, film, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v: %s", err, out)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", path).Output()
	if err != nil {
		t.Fatalf("ffprobe: %v", err)
	}
	var answer struct {
		Streams []probed
		Format  struct{ Duration string }
	}
	if err := json.Unmarshal(out, &answer); err != nil || len(answer.Streams) != 1 {
		t.Fatalf("ffprobe says %s: %v", out, err)
	}
	answer.Streams[0].Duration = answer.Format.Duration
	return answer.Streams[0]
}
