// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/replay"
	"github.com/nightjar-cam/nightjar/motion"
)

const (
	maxEdge   = 8192    // samples of an edge of a picture
	maxFrames = 1 << 22 // of a film: almost two days at 25 frames a second
	maxFPS    = 1000
)

// Film is an open film. One goroutine reads it.
type Film struct {
	Width, Height int
	FPS           float64 // frames per second on average, for those who write a film
	Path          string

	decoder decoder
	fps     float64 // replaces the film's own times if it is above 0
	next    int
	last    time.Duration
}

// Frame is one picture. The plane is valid, and may be changed, until the next call of Next.
type Frame struct {
	N     int // from 0
	PTS   time.Duration
	Plane motion.Plane
}

// decoder makes pictures of a file. next returns io.EOF at the end.
type decoder interface {
	next() (motion.Plane, time.Duration, error)
	close() error
}

// Open opens a film. With an fps above 0 frame n is shown at n/fps, whatever the film says: labels count frames, and some
// containers have lost the rate. The caller closes the film; an end of ctx ends reading.
func Open(ctx context.Context, path string, fps float64) (*Film, error) {
	if fps < 0 || fps > maxFPS || math.IsNaN(fps) {
		return nil, fmt.Errorf("open film %s: %v frames per second, give 0 to %d", path, fps, maxFPS)
	}
	f, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open film %s: %w", path, err)
	}
	f.Path = path
	if fps > 0 {
		f.fps, f.FPS = fps, fps
	}
	return f, nil
}

func open(ctx context.Context, path string) (*Film, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".avi", ".y4m":
		f, err := openNative(path)
		if !errors.Is(err, replay.ErrFormat) {
			return f, err
		}
		// Another codec, or an odd size: ffmpeg may know it.
	}
	return openFFmpeg(ctx, path)
}

// Next returns the next frame, and io.EOF behind the last one.
func (f *Film) Next() (Frame, error) {
	p, pts, err := f.decoder.next()
	if err == io.EOF {
		return Frame{}, io.EOF
	}
	if err == nil && f.next >= maxFrames {
		err = fmt.Errorf("more than %d frames, cut it", maxFrames)
	}
	if err != nil {
		return Frame{}, fmt.Errorf("read film %s: frame %d: %w", f.Path, f.next, err)
	}
	if f.fps > 0 {
		pts = time.Duration(math.Round(float64(f.next) / f.fps * 1e9))
	}
	f.last = max(f.last, pts) // some films go back in time; the detector must not
	frame := Frame{N: f.next, PTS: f.last, Plane: p}
	f.next++
	return frame, nil
}

// Close ends the film.
func (f *Film) Close() error { return f.decoder.close() }

// native reads what the agent itself can play, through the same source.
type native struct {
	source *capture.Source
	label  string
	frame  *capture.Frame
}

// opened numbers the labels of films in the registry of sources.
var opened atomic.Int64

func openNative(path string) (*Film, error) {
	driver, err := replay.New(replay.Config{Path: path, Frames: 2}) // speed 0: no frame is lost
	if err != nil {
		return nil, err
	}
	n := &native{label: fmt.Sprintf("lab-%d", opened.Add(1))}
	if err := capture.Register(n.label, driver); err != nil {
		return nil, err
	}
	n.source, err = capture.Open(n.label, prop.Media{})
	if err != nil {
		capture.Unregister(n.label)
		return nil, err
	}
	format := n.source.Format()
	return &Film{Width: format.Width, Height: format.Height, FPS: format.FrameRate, decoder: n}, nil
}

func (n *native) next() (motion.Plane, time.Duration, error) {
	n.release()
	frame, err := n.source.Read()
	if err != nil {
		return motion.Plane{}, 0, err
	}
	n.frame = frame
	return motion.Plane(frame.Luma()), frame.PTS, nil
}

func (n *native) release() {
	if n.frame != nil {
		n.frame.Release()
		n.frame = nil
	}
}

func (n *native) close() error {
	n.release()
	capture.Unregister(n.label)
	return n.source.Close()
}
