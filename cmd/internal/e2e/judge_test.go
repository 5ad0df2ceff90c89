// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// stock runs a judge we did not write: age, ffprobe, ffmpeg. `make test` installs them.
func stock(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed: run `make deps`", name)
	}
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%s %v: %v\n%s", name, args, err, e.Stderr)
		}
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return out
}

// probe is what ffprobe found in a clip after decoding every frame of it.
type probe struct {
	Codec    string
	Frames   int
	Duration time.Duration
}

func ffprobe(t *testing.T, file string) probe {
	t.Helper()
	// -v error with -xerror semantics: anything on stderr while decoding is a damaged stream.
	if out, err := exec.Command("ffmpeg", "-v", "error", "-i", file, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("ffmpeg decodes %s with errors: %v\n%s", file, err, out)
	}
	var v struct {
		Streams []struct {
			Codec  string `json:"codec_name"`
			Frames string `json:"nb_read_frames"`
		}
		Format struct{ Duration string }
	}
	out := stock(t, "ffprobe", "-v", "error", "-count_frames", "-of", "json",
		"-show_entries", "stream=codec_name,nb_read_frames:format=duration", file)
	if err := json.Unmarshal(out, &v); err != nil || len(v.Streams) != 1 {
		t.Fatalf("ffprobe %s: %v\n%s", file, err, out)
	}
	frames, err := strconv.Atoi(v.Streams[0].Frames)
	if err != nil {
		t.Fatalf("ffprobe %s: frames: %v", file, err)
	}
	seconds, err := strconv.ParseFloat(v.Format.Duration, 64)
	if err != nil {
		t.Fatalf("ffprobe %s: duration: %v", file, err)
	}
	return probe{v.Streams[0].Codec, frames, time.Duration(seconds * float64(time.Second))}
}
