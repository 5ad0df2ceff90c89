// SPDX-License-Identifier: Apache-2.0

// Package replay plays a recorded file as if it were a camera: Motion JPEG in AVI, or Y4M with 4:2:0
// chroma. Start with [New], register the driver with capture.Register, and read it through capture.Open.
//
// Y4M is read without allocations. Motion JPEG is decoded by image/jpeg, which allocates a picture for
// each frame; the frame that comes out is a pooled one all the same.
//
// Frames are full range, as capture.Frame promises: Y4M in limited range (the usual one) is expanded.
package replay

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

var (
	// ErrFormat is returned for a file that is not what it claims to be, or is of a kind not read here.
	ErrFormat = errors.New("not a Motion JPEG AVI or 4:2:0 Y4M file")
	// ErrTruncated is returned, after the last whole frame, for a file that stops inside one.
	ErrTruncated = errors.New("file is cut off")
)

// Config says what is played, and how; see capture.Playback for the other fields.
type Config struct {
	Path   string
	Speed  float64
	Loop   bool
	Frames int
	Held   int64
	Clock  clock.Clock
}

// Driver is a mediadevices driver that plays one file. Each Open plays it from the beginning.
type Driver struct {
	path   string
	play   capture.Playback
	film   film            // between Open and VideoRecord
	player *capture.Player // from VideoRecord on
}

// film is what both parsers make of a file.
type film interface {
	capture.Film
	size() (width, height int)
	rate() capture.Rate
}

// New reads the file's header, so that a file that cannot be played is refused here.
func New(cfg Config) (*Driver, error) {
	d := &Driver{
		path: cfg.Path,
		play: capture.Playback{Speed: cfg.Speed, Loop: cfg.Loop, Frames: cfg.Frames, Held: cfg.Held, Clock: cfg.Clock},
	}
	if err := d.play.Validate(); err != nil {
		return nil, fmt.Errorf("replay %s: %w", cfg.Path, err)
	}
	if err := d.Open(); err != nil {
		return nil, err
	}
	return d, d.Close()
}

// Open implements driver.Adapter.
func (d *Driver) Open() error {
	f, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	film, err := parse(f)
	if err != nil {
		return errors.Join(fmt.Errorf("replay %s: %w", d.path, err), f.Close())
	}
	d.film, d.player = film, nil
	return nil
}

// parse tells the kind of file by its first bytes. The film owns the file when there is no error.
func parse(f *os.File) (film, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var magic [12]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	switch {
	case bytes.HasPrefix(magic[:], []byte(y4mMagic)):
		return newY4M(f)
	case string(magic[:4]) == "RIFF" && string(magic[8:]) == "AVI ":
		return newAVI(f, info.Size())
	}
	return nil, ErrFormat
}

// Close implements driver.Adapter. It makes a waiting Read return capture.ErrClosed.
func (d *Driver) Close() error {
	switch {
	case d.player != nil:
		return d.player.Close()
	case d.film != nil:
		film := d.film
		d.film = nil
		return film.Close()
	}
	return nil
}

// Properties implements driver.Adapter; it is valid while the driver is open.
func (d *Driver) Properties() []prop.Media {
	if d.film == nil {
		return nil
	}
	w, h := d.film.size()
	return []prop.Media{capture.Media(w, h, d.film.rate())}
}

// VideoRecord implements driver.VideoRecorder; the timeline starts here.
func (d *Driver) VideoRecord(prop.Media) (video.Reader, error) {
	w, h := d.film.size()
	d.player = capture.NewPlayer(d.film, w, h, d.film.rate(), d.play)
	return d.player, nil
}
