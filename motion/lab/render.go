// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// Rendering says what Render draws.
type Rendering struct {
	Path, Out string
	FPS       float64
	Config    motion.Config
	Hardships []string
	// Frame is the one to draw into a PNG, or the first from At on; with both below 0 it is the one with the highest
	// score. A film is drawn whole.
	Frame int
	At    time.Duration
}

// ErrNoFrame is returned for a frame that the film does not have.
var ErrNoFrame = errors.New("the film has no such frame")

// Render draws what the detector sees into a .png or a .mp4 file: blocks that differ in red and yellow, those busy by habit
// in blue, those that no zone counts darkened; boxes around what moves; and the reason. It returns the verdict on the frame
// that it drew last.
func Render(ctx context.Context, r Rendering) (Verdict, error) {
	switch strings.ToLower(filepath.Ext(r.Out)) {
	case ".png":
		return r.png(ctx)
	case ".mp4":
		return r.mp4(ctx)
	}
	return Verdict{}, fmt.Errorf("cannot draw into %q: name a file that ends with .png or .mp4", r.Out)
}

// watch shows the film and calls each with a canvas of its size.
func (r Rendering) watch(ctx context.Context, begin func(*Film, *canvas) error, each func(*canvas, Frame, *motion.Detector, Verdict) error) (err error) {
	effects, err := Harden(r.Hardships)
	if err != nil {
		return err
	}
	if err := r.Config.Validate(); err != nil {
		return err
	}
	film, err := Open(ctx, r.Path, r.FPS)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, film.Close()) }()
	c := newCanvas(film.Width, film.Height)
	if err := begin(film, c); err != nil {
		return err
	}
	return Watch(ctx, film, effects, []motion.Config{r.Config}, func(f Frame, d []*motion.Detector, results []motion.Result) error {
		return each(c, f, d[0], verdict(f, results[0]))
	})
}

// errEnough ends a film early.
var errEnough = errors.New("enough")

func (r Rendering) png(ctx context.Context) (Verdict, error) {
	var shown Verdict
	var chosen *canvas
	best := r.Frame < 0 && r.At < 0
	err := r.watch(ctx, func(*Film, *canvas) error { return nil }, func(c *canvas, f Frame, d *motion.Detector, v Verdict) error {
		switch {
		case best && (chosen == nil || v.Score > shown.Score):
		case r.Frame >= 0 && f.N == r.Frame, r.Frame < 0 && r.At >= 0 && f.PTS >= r.At:
		default:
			return nil
		}
		c.draw(f.Plane, d, v)
		chosen, shown = c, v
		if best {
			return nil
		}
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return shown, err
	}
	if chosen == nil {
		return shown, fmt.Errorf("draw %s: %w: it ends before", r.Path, ErrNoFrame)
	}
	return shown, writePNG(r.Out, chosen)
}

func writePNG(path string, c *canvas) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(file, c), file.Close())
}

func (r Rendering) mp4(ctx context.Context) (Verdict, error) {
	var last Verdict
	var out *encoder
	var rgb []byte
	err := r.watch(ctx, func(f *Film, c *canvas) (err error) {
		size := c.Bounds().Size()
		rgb = make([]byte, 0, size.X*size.Y*3)
		out, err = startEncoder(ctx, r.Out, size.X, size.Y, f.FPS)
		return err
	}, func(c *canvas, f Frame, d *motion.Detector, v Verdict) error {
		c.draw(f.Plane, d, v)
		rgb = rgb[:0]
		for i := 0; i < len(c.Pix); i += 4 {
			rgb = append(rgb, c.Pix[i:i+3]...)
		}
		last = v
		_, err := out.stdin.Write(rgb)
		return err
	})
	if out != nil {
		err = out.finish(err)
	}
	last.Boxes = nil // they are the detector's
	if err != nil {
		err = fmt.Errorf("draw %s into %s: %w", r.Path, r.Out, err)
	}
	return last, err
}
