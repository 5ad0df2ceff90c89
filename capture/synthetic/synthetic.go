// SPDX-License-Identifier: Apache-2.0

// Package synthetic is a camera that looks at a made-up room: a still background, objects that move by a
// script, sensor noise, and light that is switched. Start with [New], register the driver with
// capture.Register, and read it through capture.Open.
//
// Frame n depends on nothing but the Config and n, so a test sees the same pixels on every run, at any
// speed, whichever frames were dropped. Nothing is allocated for a frame.
package synthetic

import (
	"fmt"
	"math"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// Config describes the scene, and how it is played; see capture.Playback for Speed, Loop, Frames, Held and Clock.
type Config struct {
	Width, Height int // even
	Rate          capture.Rate
	Length        time.Duration // of the film; 0 means endless
	Seed          uint64        // of background and noise
	Noise         float64       // standard deviation of the sensor noise, 0 to 32 levels of 255
	Objects       []Object
	Lights        []Light // in order of At

	Speed  float64
	Loop   bool
	Frames int
	Held   int64
	Clock  clock.Clock
}

// Object is an ellipse that is in the room from From until To and moves along Path at an even pace for
// each of its legs. One point means that it stands still.
type Object struct {
	From, To      time.Duration
	Path          []Point
	Width, Height float64 // share of the picture's width and height, above 0 up to 1
	Contrast      int     // levels brighter than the background, -255 to 255
}

// Point is a place in the picture, 0,0 the upper left corner and 1,1 the lower right one. Points outside
// the picture are allowed: objects walk in and out.
type Point struct{ X, Y float64 }

// Light makes the room brighter by Offset levels, -255 to 255, from At until the next Light.
type Light struct {
	At     time.Duration
	Offset int
}

// Validate returns an error for a scene that cannot be drawn.
func (c Config) Validate() error {
	if err := capture.CheckSize(c.Width, c.Height); err != nil {
		return err
	}
	if err := c.Rate.Validate(); err != nil {
		return err
	}
	if c.Length < 0 {
		return fmt.Errorf("length %v: must not be negative", c.Length)
	}
	if !(c.Noise >= 0 && c.Noise <= 32) { // also refuses NaN
		return fmt.Errorf("noise %g: must be 0 to 32", c.Noise)
	}
	for i, o := range c.Objects {
		if err := o.validate(); err != nil {
			return fmt.Errorf("object %d: %w", i, err)
		}
	}
	for i, l := range c.Lights {
		if i > 0 && l.At < c.Lights[i-1].At {
			return fmt.Errorf("light %d: at %v, before the one in front of it", i, l.At)
		}
		if l.Offset < -255 || l.Offset > 255 {
			return fmt.Errorf("light %d: offset %d: must be -255 to 255", i, l.Offset)
		}
	}
	return c.playback().Validate()
}

func (o Object) validate() error {
	if o.From < 0 || o.To <= o.From {
		return fmt.Errorf("from %v to %v: must be a span of time", o.From, o.To)
	}
	if len(o.Path) == 0 {
		return fmt.Errorf("path without a point")
	}
	for _, p := range o.Path {
		if !(math.Abs(p.X) <= 16 && math.Abs(p.Y) <= 16) {
			return fmt.Errorf("point %v: must be within 16 pictures", p)
		}
	}
	if !(o.Width > 0 && o.Width <= 1 && o.Height > 0 && o.Height <= 1) {
		return fmt.Errorf("size %gx%g: must be above 0 and up to 1", o.Width, o.Height)
	}
	if o.Contrast < -255 || o.Contrast > 255 {
		return fmt.Errorf("contrast %d: must be -255 to 255", o.Contrast)
	}
	return nil
}

func (c Config) playback() capture.Playback {
	return capture.Playback{Speed: c.Speed, Loop: c.Loop, Frames: c.Frames, Held: c.Held, Clock: c.Clock}
}

// Driver is a mediadevices driver that shows one scene. Each Open shows it from the beginning.
type Driver struct {
	config Config
	player *capture.Player // from VideoRecord on
}

// New checks the scene.
func New(cfg Config) (*Driver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("synthetic scene: %w", err)
	}
	return &Driver{config: cfg}, nil
}

// Open implements driver.Adapter.
func (d *Driver) Open() error {
	d.player = nil
	return nil
}

// Close implements driver.Adapter. It makes a waiting Read return capture.ErrClosed.
func (d *Driver) Close() error {
	if d.player == nil {
		return nil
	}
	return d.player.Close()
}

// Properties implements driver.Adapter.
func (d *Driver) Properties() []prop.Media {
	return []prop.Media{capture.Media(d.config.Width, d.config.Height, d.config.Rate)}
}

// VideoRecord implements driver.VideoRecorder; the timeline starts here.
func (d *Driver) VideoRecord(prop.Media) (video.Reader, error) {
	c := d.config
	d.player = capture.NewPlayer(newScene(c), c.Width, c.Height, c.Rate, c.playback())
	return d.player, nil
}
