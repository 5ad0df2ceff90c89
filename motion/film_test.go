// SPDX-License-Identifier: Apache-2.0

package motion_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/replay"
	"github.com/nightjar-cam/nightjar/motion"
)

const footage = "../capture/footage/"

// seen is what the detector said of one frame.
type seen struct {
	pts, onset time.Duration
	motion     bool
	score      float64
	why        string
}

// visit is a label: the first and the last frame that show any part of a visitor.
type visit struct {
	First, Last int
	Note        string
}

func visits(t *testing.T) []visit {
	t.Helper()
	text, err := os.ReadFile(footage + "visits.json")
	if err != nil {
		t.Fatal(err)
	}
	var labels struct{ Visits []visit }
	if err := json.Unmarshal(text, &labels); err != nil {
		t.Fatal(err)
	}
	if len(labels.Visits) == 0 {
		t.Fatal("no visits in visits.json")
	}
	return labels.Visits
}

// TestVisits holds the detector with its defaults against a real film. Each frame inside a visit and outside of all
// of them is looked at; only the margins given here are free.
func TestVisits(t *testing.T) {
	const (
		late    = 800 * time.Millisecond  // the visitor may be a fleck of hair until then
		early   = 500 * time.Millisecond  // or a toe cap, so long before the end
		dropout = 1500 * time.Millisecond // a visitor may stand still for so long
		tail    = 1200 * time.Millisecond // shadow, reflection, and Config.Off
	)
	frames := watchFilm(t, footage+"visits.avi")
	owner := make([]int, len(frames)) // the visit in whose reach a frame is, from 1
	for i, v := range visits(t) {
		first, last := frames[v.First].pts, frames[v.Last].pts
		begun, gap := false, time.Duration(0)
		for n := v.First; n < len(frames) && frames[n].pts <= last+tail; n++ {
			f := frames[n]
			owner[n] = i + 1
			if f.motion && !begun {
				begun = true
				t.Logf("visit %d: motion %v after its first frame, onset %v", i+1, f.pts-first, f.onset-first)
				if f.pts-first > late {
					t.Errorf("visit %d (%s): motion %v after its first frame, want at most %v", i+1, v.Note, f.pts-first, late)
				}
				if f.onset < first || f.onset > f.pts {
					t.Errorf("visit %d: onset %v, want from %v to %v", i+1, f.onset, first, f.pts)
				}
			}
			if f.motion {
				gap = f.pts
			} else if begun && f.pts <= last-early && f.pts-gap > dropout {
				t.Errorf("visit %d (%s): no motion from %v to %v", i+1, v.Note, gap, f.pts)
			}
		}
		if !begun {
			t.Errorf("visit %d (%s): no motion", i+1, v.Note)
		}
		if gap < last-early {
			t.Errorf("visit %d (%s): motion ends %v before its last frame, want at most %v", i+1, v.Note, last-gap, early)
		}
		t.Logf("visit %d: motion ends %v after its last frame", i+1, gap-last)
	}
	for n, f := range frames {
		if f.motion && owner[n] == 0 {
			t.Errorf("frame %d (%v): motion in the empty room, %s, score %.4f", n, f.pts, f.why, f.score)
		}
	}
}

// watchFilm runs a detector with defaults over a film.
func watchFilm(t *testing.T, path string) (frames []seen) {
	t.Helper()
	driver, err := replay.New(replay.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := capture.Register(t.Name(), driver); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { capture.Unregister(t.Name()) })
	source, err := capture.Open(t.Name(), prop.Media{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	detector, err := motion.New(motion.DefaultConfig(), source.Format().Width, source.Format().Height)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := source.Read()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		r := detector.Process(motion.Plane(frame.Luma()), frame.PTS)
		frames = append(frames, seen{pts: frame.PTS, onset: r.Onset, motion: r.Motion, score: r.Score, why: r.Why})
		frame.Release()
	}
}
