// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/motion/lab/hardship"
)

// maxDetectorBytes bounds the memory of the detectors that watch one film at a time. A film is decoded once for all
// settings that fit, and never held: what a setting needs is a detector, not the film.
const maxDetectorBytes = 256 << 20

// Outcome is what one setting came to on one scene.
type Outcome struct {
	Scene    string
	Labelled bool // or else there is no tally
	Frames   int
	Moving   int // frames with motion, whatever the labels say
	Tally
}

// Score holds one setting against all scenes of the folder, made harder by the hardships. progress is called as scenes
// are done, from several goroutines; it may be nil. The outcomes are in the order of the scenes.
func (f *Folder) Score(ctx context.Context, cfg motion.Config, hardships []string, progress func(done string)) ([]Outcome, error) {
	all, err := f.try(ctx, []motion.Config{cfg}, hardships, false, progress)
	var outcomes []Outcome
	for _, scene := range all {
		outcomes = append(outcomes, scene[0])
	}
	return outcomes, err
}

// try runs every setting on every scene.
func (f *Folder) try(ctx context.Context, settings []motion.Config, hardships []string, labelledOnly bool, progress func(string)) ([][]Outcome, error) {
	if _, err := Harden(hardships); err != nil {
		return nil, err
	}
	return f.each(ctx, progress, func(ctx context.Context, s *Scene) ([]Outcome, error) {
		if labelledOnly && !s.Labelled() && !peopled(hardships) {
			return nil, nil
		}
		return f.tryScene(ctx, s, settings, hardships)
	})
}

// each runs a function on every scene, as many at a time as there are processors, and returns what is not nil in the
// order of the scenes.
func (f *Folder) each(ctx context.Context, progress func(string), run func(context.Context, *Scene) ([]Outcome, error)) ([][]Outcome, error) {
	all := make([][]Outcome, len(f.Scenes))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range f.Scenes {
		s := &f.Scenes[i]
		group.Go(func() error {
			outcomes, err := run(ctx, s)
			if err != nil {
				return fmt.Errorf("scene %s: %w", s.Name, err)
			}
			all[i] = outcomes
			if progress != nil && outcomes != nil {
				progress(s.Name)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(o []Outcome) bool { return o == nil }), nil
}

// peopled tells whether hardships put anyone in.
func peopled(hardships []string) bool {
	effects, _ := Harden(hardships)
	return slices.ContainsFunc(effects, func(e hardship.Effect) bool { _, ok := e.(hardship.Truth); return ok })
}

// tryScene runs every setting on one scene.
func (f *Folder) tryScene(ctx context.Context, s *Scene, settings []motion.Config, hardships []string) ([]Outcome, error) {
	var all []Outcome
	for len(settings) > 0 {
		effects, err := Harden(hardships) // they hold scratch memory: each run its own
		if err != nil {
			return nil, err
		}
		film, err := Open(ctx, filepath.Join(f.Dir, s.File), s.FPS)
		if err != nil {
			return nil, err
		}
		fit := max(1, maxDetectorBytes/(4*film.Width*film.Height)) // three pictures, and what goes with each block
		batch := settings[:min(fit, len(settings))]
		settings = settings[len(batch):]
		outcomes, err := s.tryFilm(ctx, film, effects, batch)
		if err := errors.Join(err, film.Close()); err != nil {
			return nil, err
		}
		all = append(all, outcomes...)
	}
	return all, nil
}

func (s *Scene) tryFilm(ctx context.Context, film *Film, effects []hardship.Effect, settings []motion.Config) ([]Outcome, error) {
	zoned := make([]motion.Config, len(settings))
	for i, cfg := range settings {
		zoned[i] = s.zoned(cfg, film.Width, film.Height)
	}
	var times []time.Duration
	moving := make([][]bool, len(settings))
	err := Watch(ctx, film, effects, zoned, func(frame Frame, _ []*motion.Detector, results []motion.Result) error {
		times = append(times, frame.PTS)
		for i, r := range results {
			moving[i] = append(moving[i], r.Motion)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.judge(times, moving, film.Width*film.Height, effects)
}

// judge holds what was said of each frame, once or more than once, against the labels.
func (s *Scene) judge(times []time.Duration, moving [][]bool, samples int, effects []hardship.Effect) ([]Outcome, error) {
	if len(times) == 0 {
		return nil, fmt.Errorf("%w: it has no frames", ErrBadFilm)
	}
	if s.N > 0 && len(times) != s.N {
		return nil, fmt.Errorf("film has %d frames, its labels are for %d: they do not belong together", len(times), s.N)
	}
	labelled := s.Labelled() || len(persons(times, effects)) > 0
	truth := s.truth(times, samples, effects)
	outcomes := make([]Outcome, len(moving))
	for i := range moving {
		o := Outcome{Scene: s.Name, Labelled: labelled, Frames: len(times)}
		for _, m := range moving[i] {
			if m {
				o.Moving++
			}
		}
		if labelled {
			o.Tally = truth.tally(times, moving[i])
		}
		outcomes[i] = o
	}
	return outcomes, nil
}

// Total adds the tallies of all scenes that have labels.
func Total(outcomes []Outcome) Outcome {
	total := Outcome{Scene: "total", Labelled: true}
	for _, o := range outcomes {
		if !o.Labelled {
			continue
		}
		total.Frames += o.Frames
		total.Moving += o.Moving
		total.Tally.Add(o.Tally)
	}
	return total
}
