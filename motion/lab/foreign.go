// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// ScoreVerdicts holds what another program says against the labels, in the way of Score: dir has a file NAME.txt for each
// scene, with a 0 or a 1 for each frame and any white space between.
func (f *Folder) ScoreVerdicts(ctx context.Context, dir string, progress func(done string)) ([]Outcome, error) {
	all, err := f.each(ctx, progress, func(ctx context.Context, s *Scene) ([]Outcome, error) {
		path := filepath.Join(dir, s.Name+".txt")
		text, err := readBounded(path)
		if err != nil {
			return nil, fmt.Errorf("read verdicts: %w", err)
		}
		moving, err := parseVerdicts(text)
		if err != nil {
			return nil, fmt.Errorf("read verdicts %s: %w", path, err)
		}
		times, samples, err := clocked(ctx, filepath.Join(f.Dir, s.File), s.FPS)
		if err != nil {
			return nil, err
		}
		if len(moving) != len(times) {
			return nil, fmt.Errorf("read verdicts %s: %d verdicts on a film of %d frames", path, len(moving), len(times))
		}
		return s.judge(times, [][]bool{moving}, samples, nil)
	})
	var outcomes []Outcome
	for _, scene := range all {
		outcomes = append(outcomes, scene[0])
	}
	return outcomes, err
}

func parseVerdicts(text []byte) (moving []bool, err error) {
	for i, c := range text {
		switch c {
		case '0', '1':
			moving = append(moving, c == '1')
		case ' ', '\t', '\r', '\n':
		default:
			return nil, fmt.Errorf("byte %d is %q: give a 0 or a 1 for each frame", i, c)
		}
	}
	return moving, nil
}

// clocked returns when the frames of a film are shown, and how many samples each has.
func clocked(ctx context.Context, path string, fps float64) (times []time.Duration, samples int, err error) {
	film, err := Open(ctx, path, fps)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, film.Close()) }()
	err = Watch(ctx, film, nil, nil, func(frame Frame, _ []*motion.Detector, _ []motion.Result) error {
		times = append(times, frame.PTS)
		return nil
	})
	return times, film.Width * film.Height, err
}
