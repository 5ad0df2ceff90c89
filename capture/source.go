// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// ErrClosed is what Read returns once the source or the driver was closed.
var ErrClosed = errors.New("source is closed")

// ErrGone is wrapped by the error of a driver whose device is not there: unplugged, or not plugged in yet. It may come back.
var ErrGone = errors.New("the camera is not there")

// Reader is what our drivers' VideoRecord returns.
//
// Read returns a *[Frame] as the image and its Release as the release function, and allocates neither.
// One goroutine reads. Close of the driver, called from any goroutine, makes a waiting Read return
// [ErrClosed]. A finite reader returns io.EOF at its end, and again on every later call.
type Reader interface {
	video.Reader
	// Live tells whether frames come at their own pace. A live reader drops frames while its pool is
	// empty (Seq jumps); one that is not live waits for a frame to be released and loses nothing.
	Live() bool
}

// Format describes the frames of a source.
type Format struct {
	Width, Height int     // in pixels, both even
	FrameRate     float64 // nominal frames per second; the frames' PTS are what counts
	Live          bool    // see [Reader.Live]
}

// Source is an open driver.
type Source struct {
	label  string
	format Format
	driver driver.Driver
	reader Reader
	closed atomic.Bool
	close  func() error
}

// Open opens the driver that was registered under label, in the first of its modes that agrees with
// want; zero fields of want agree with anything. The caller closes the source.
func Open(label string, want prop.Media) (*Source, error) {
	d, err := find(label)
	if err != nil {
		return nil, fmt.Errorf("open source %q: %w", label, err)
	}
	if err := d.Open(); err != nil {
		return nil, fmt.Errorf("open source %q: %w", label, err)
	}
	s, err := record(label, d, want)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open source %q: %w", label, err), d.Close())
	}
	return s, nil
}

// record starts an open driver.
func record(label string, d driver.Driver, want prop.Media) (*Source, error) {
	mode, err := choose(d.Properties(), want)
	if err != nil {
		return nil, err
	}
	r, err := d.(driver.VideoRecorder).VideoRecord(mode) // find gives video recorders only
	if err != nil {
		return nil, err
	}
	reader, ok := r.(Reader)
	if !ok {
		return nil, fmt.Errorf("its reader %T delivers no pooled frames", r)
	}
	return &Source{
		label: label,
		format: Format{
			Width:     mode.Width,
			Height:    mode.Height,
			FrameRate: float64(mode.FrameRate),
			Live:      reader.Live(),
		},
		driver: d,
		reader: reader,
		close:  sync.OnceValue(d.Close),
	}, nil
}

// choose returns the first mode that agrees with want.
func choose(modes []prop.Media, want prop.Media) (prop.Media, error) {
	for _, m := range modes {
		if (want.Width == 0 || want.Width == m.Width) &&
			(want.Height == 0 || want.Height == m.Height) &&
			(want.FrameRate == 0 || want.FrameRate == m.FrameRate) &&
			(want.FrameFormat == "" || want.FrameFormat == m.FrameFormat) {
			return m, nil
		}
	}
	var have []string
	for _, m := range modes {
		have = append(have, fmt.Sprintf("%dx%d at %g fps", m.Width, m.Height, m.FrameRate))
	}
	return prop.Media{}, fmt.Errorf("no mode like %dx%d at %g fps; choose one of %q", want.Width, want.Height, want.FrameRate, have)
}

// Read returns the next frame; the caller owns one reference and gives it back with [Frame.Release].
// One goroutine reads. It returns io.EOF at the end of a finite source and [ErrClosed] after Close; any
// other error is an error of the device or file, and the source cannot be read further.
func (s *Source) Read() (*Frame, error) {
	img, release, err := s.reader.Read()
	if s.closed.Load() {
		if err == nil {
			release()
		}
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	f, ok := img.(*Frame)
	if !ok {
		release()
		return nil, fmt.Errorf("read source %q: driver delivered a %T instead of a pooled frame", s.label, img)
	}
	return f, nil
}

// Format describes the frames that Read returns.
func (s *Source) Format() Format { return s.format }

// Close stops the source and makes a waiting Read return [ErrClosed]. Frames that are still held stay
// valid. It may be called from any goroutine, and more than once.
func (s *Source) Close() error {
	s.closed.Store(true)
	if err := s.close(); err != nil {
		return fmt.Errorf("close source %q: %w", s.label, err)
	}
	return nil
}

// Erase has the memory of frames overwritten: at once where nobody holds them, and with their last release. A driver whose
// frames lie in memory of the device's has nothing to do: it goes with the source. It is for a source that was closed, or is
// about to be; it may be called from any goroutine.
func (s *Source) Erase() {
	if e, ok := s.reader.(interface{ Erase() }); ok {
		e.Erase()
	}
}

// String names the source for logs.
func (s *Source) String() string {
	return fmt.Sprintf("capture %s %dx%d@%g", s.label, s.format.Width, s.format.Height, s.format.FrameRate)
}
