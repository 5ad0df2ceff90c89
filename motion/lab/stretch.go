// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

const (
	swingLength     = 16 * time.Second
	maxStretchBytes = 1 << 30
)

// Stretch is a part of a film.
type Stretch struct {
	Path     string
	FPS      float64 // replaces what the film says
	From, To int     // frames, inclusive; a To below 0 is the film's last
	// Swing plays it to and fro: it becomes as long as it has to be, and every frame keeps its real noise.
	Swing  bool
	Length time.Duration // 0 is all of it once, or 16 s of swinging
}

// reel holds the pictures of a stretch. It is only read, by as many films at a time as there are.
type reel struct {
	Stretch
	width, height int
	fps           float64
	frames        [][]byte
	n             int // frames to play
}

// load reads the pictures of a stretch.
func (s Stretch) load(ctx context.Context) (r *reel, err error) {
	if s.From < 0 || s.To >= 0 && s.To < s.From || s.Length < 0 {
		return nil, fmt.Errorf("stretch of frames %d to %d for %v: give the first and the last one, and a time", s.From, s.To, s.Length)
	}
	f, err := Open(ctx, s.Path, s.FPS)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r = &reel{Stretch: s, width: f.Width, height: f.Height, fps: f.FPS}
	for s.To < 0 || s.From+len(r.frames) <= s.To {
		frame, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if frame.N < s.From {
			continue
		}
		if (len(r.frames)+1)*f.Width*f.Height > maxStretchBytes {
			return nil, fmt.Errorf("%s: more than %d MB of pictures, give fewer frames", s.Path, maxStretchBytes>>20)
		}
		pix := make([]byte, 0, f.Width*f.Height)
		for y := range f.Height {
			pix = append(pix, frame.Plane.Pix[y*frame.Plane.Stride:][:f.Width]...)
		}
		r.frames = append(r.frames, pix)
	}
	if len(r.frames) == 0 || s.To >= 0 && s.From+len(r.frames) <= s.To {
		return nil, fmt.Errorf("%s: %w: it ends before", s.Path, ErrNoFrame)
	}
	length := s.Length
	if s.Swing && length == 0 {
		length = swingLength
	}
	r.n = len(r.frames)
	if wanted := int(length.Seconds() * r.fps); length > 0 && (s.Swing || wanted < r.n) {
		r.n = wanted
	}
	if r.n < 1 || r.n > maxFrames {
		return nil, fmt.Errorf("stretch of %d frames: give 1 to %d", r.n, maxFrames)
	}
	return r, nil
}

// at returns which frame is the n-th to play. Where it turns, a frame is shown once.
func (r *reel) at(n int) int {
	last := len(r.frames) - 1
	if last == 0 {
		return 0
	}
	n %= 2 * last
	return min(n, 2*last-n)
}

// film plays the reel from the beginning.
func (r *reel) film() *Film {
	plane := motion.Plane{Pix: make([]byte, r.width*r.height), Stride: r.width, W: r.width, H: r.height}
	return &Film{Width: r.width, Height: r.height, FPS: r.fps, Path: r.Path, fps: r.fps, decoder: &player{reel: r, plane: plane}}
}

// player is the decoder of a reel.
type player struct {
	*reel
	plane  motion.Plane
	played int
}

func (p *player) next() (motion.Plane, time.Duration, error) {
	if p.played == p.n {
		return motion.Plane{}, 0, io.EOF
	}
	copy(p.plane.Pix, p.frames[p.at(p.played)])
	p.played++
	return p.plane, 0, nil // the film's rate says when
}

func (p *player) close() error { return nil }
