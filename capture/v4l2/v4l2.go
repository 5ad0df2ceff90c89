// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"errors"
	"fmt"

	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/capture"
)

// Driver is a mediadevices driver of one camera.
type Driver struct {
	cfg    Config
	find   func(string) (string, error)
	open   func(path string) (device, error)
	path   string
	card   string
	device device // nil: not open, or the reader's
	mode   mode
	reader *reader
}

// New checks the configuration. No device is touched before Open.
func New(cfg Config) (*Driver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("v4l2 camera: %w", err)
	}
	if cfg.Buffers == 0 {
		cfg.Buffers = 6 // a fifth of a second at 30 frames a second
	}
	return &Driver{cfg: cfg, find: find, open: openNode}, nil
}

// Open implements driver.Adapter: it finds the camera and sets picture and rate. It may be called again after Close. An error
// wraps capture.ErrGone where there is no such camera now.
func (d *Driver) Open() error {
	d.reader = nil
	path, err := d.find(d.cfg.Device)
	if err != nil {
		return err
	}
	dev, err := d.open(path)
	if err != nil {
		return err
	}
	if err := d.prepare(dev); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), dev.close())
	}
	d.path, d.device = path, dev
	return nil
}

func (d *Driver) prepare(dev device) error {
	c, err := identify(dev)
	if err != nil {
		return err
	}
	d.card = text(c.Card[:])
	d.mode, err = negotiate(dev, d.cfg)
	return err
}

// Properties implements driver.Adapter: the one mode that was agreed on, from Open on.
func (d *Driver) Properties() []prop.Media {
	return []prop.Media{{Video: prop.Video{
		Width: int(d.mode.pix.Width), Height: int(d.mode.pix.Height), FrameRate: float32(d.mode.rate), FrameFormat: "I420",
	}}}
}

// VideoRecord implements driver.VideoRecorder.
func (d *Driver) VideoRecord(prop.Media) (video.Reader, error) {
	r, err := newReader(d.device, d.cfg, d.mode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	d.reader, d.device = r, nil
	return r, nil
}

// Close implements driver.Adapter. The sensor is off and the node closed when it returns; a waiting Read returns
// capture.ErrClosed.
func (d *Driver) Close() error {
	switch {
	case d.reader != nil:
		return d.reader.Close()
	case d.device != nil:
		dev := d.device
		d.device = nil
		return dev.close()
	}
	return nil
}

// String says what is read, for logs; from Open on.
func (d *Driver) String() string {
	return fmt.Sprintf("%s (%s, %s)", d.path, d.card, d.mode.layout.name)
}

var _ capture.Reader = (*reader)(nil)
