// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/motion/lab/hardship"
)

// Harden parses hardships, each a text for [hardship.Parse]. They come in the order given.
func Harden(specs []string) ([]hardship.Effect, error) {
	var effects []hardship.Effect
	for _, spec := range specs {
		e, err := hardship.Parse(spec)
		if err != nil {
			return nil, err
		}
		effects = append(effects, e)
	}
	return effects, nil
}

// Watch shows a film, made harder by the effects, to detectors with these settings, and calls each after every frame with
// what they say, in the order of the settings. The results are valid until each returns; the detectors are there to be
// asked for their cells.
func Watch(ctx context.Context, f *Film, effects []hardship.Effect, settings []motion.Config, each func(Frame, []*motion.Detector, []motion.Result) error) error {
	detectors, results := make([]*motion.Detector, len(settings)), make([]motion.Result, len(settings))
	for i, cfg := range settings {
		d, err := motion.New(cfg, f.Width, f.Height)
		if err != nil {
			return err
		}
		detectors[i] = d
	}
	for {
		frame, err := f.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		for _, e := range effects {
			e.Apply(frame.Plane, frame.N, frame.PTS)
		}
		for i, d := range detectors {
			results[i] = d.Process(frame.Plane, frame.PTS)
		}
		if err := each(frame, detectors, results); err != nil {
			return err
		}
	}
}

// Run opens a film, shows it to one detector and calls each with its verdict on every frame. A verdict's boxes are valid
// until each returns.
func Run(ctx context.Context, path string, fps float64, hardships []string, cfg motion.Config, each func(Verdict) error) (err error) {
	effects, err := Harden(hardships)
	if err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	f, err := Open(ctx, path, fps)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return Watch(ctx, f, effects, []motion.Config{cfg}, func(frame Frame, _ []*motion.Detector, results []motion.Result) error {
		return each(verdict(frame, results[0]))
	})
}

// Interval is a stretch of a film with motion.
type Interval struct {
	First, Last int // frames, inclusive
	From, To    time.Duration
	Best        float64 // the highest score
}

// Summary gathers verdicts for a person.
type Summary struct {
	Frames, Moving int
	Length         time.Duration
	Intervals      []Interval
	Whys           map[string]int // frames by reason

	open bool
}

// Add takes the verdict on the next frame.
func (s *Summary) Add(v Verdict) {
	if s.Whys == nil {
		s.Whys = map[string]int{}
	}
	s.Frames++
	s.Whys[v.Why]++
	s.Length = v.T
	if !v.Motion {
		s.open = false
		return
	}
	s.Moving++
	if !s.open {
		s.Intervals = append(s.Intervals, Interval{First: v.Frame, From: v.T})
		s.open = true
	}
	i := &s.Intervals[len(s.Intervals)-1]
	i.Last, i.To, i.Best = v.Frame, v.T, max(i.Best, v.Score)
}

// Write prints the summary.
func (s *Summary) Write(w io.Writer) error {
	for _, i := range s.Intervals {
		fmt.Fprintf(w, "motion %8.2f s to %8.2f s  frames %d to %d  score up to %.4f\n", i.From.Seconds(), i.To.Seconds(), i.First, i.Last, i.Best)
	}
	share := 0.0
	if s.Frames > 0 {
		share = 100 * float64(s.Moving) / float64(s.Frames)
	}
	_, err := fmt.Fprintf(w, "%d frames to %.2f s: motion in %d (%.1f %%), %d intervals\n", s.Frames, s.Length.Seconds(), s.Moving, share, len(s.Intervals))
	return err
}
