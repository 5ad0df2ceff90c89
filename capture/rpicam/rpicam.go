// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/capture"
)

// Driver is a mediadevices driver that runs rpicam-vid while it is open.
type Driver struct {
	cfg     Config
	path    string // of the program, and
	version string // what it says of itself; from Open on
	index   int    // of the camera
	reader  *reader
}

// New checks the configuration. Nothing is started before Open.
func New(cfg Config) (*Driver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("rpicam camera: %w", err)
	}
	return &Driver{cfg: cfg}, nil
}

// Open implements driver.Adapter: it finds the program and the camera. It may be called again after Close.
func (d *Driver) Open() (err error) {
	d.reader = nil
	if d.path, err = find(d.cfg.Program); err != nil {
		return err
	}
	if d.version, err = check(d.path); err != nil {
		return err
	}
	d.index, err = choose(d.path, d.cfg.Camera)
	return err
}

// Close implements driver.Adapter. The program is gone when it returns, within two seconds, and with it the camera is dark; the
// error says that it is not. A waiting Read returns capture.ErrClosed.
func (d *Driver) Close() error {
	if d.reader == nil {
		return nil
	}
	return d.reader.Close()
}

// Properties implements driver.Adapter.
func (d *Driver) Properties() []prop.Media {
	return []prop.Media{{Video: prop.Video{
		Width: d.cfg.Width, Height: d.cfg.Height, FrameRate: float32(d.cfg.Rate), FrameFormat: "I420",
	}}}
}

// VideoRecord implements driver.VideoRecorder. It does not wait for the first frame, which takes a second or two: what goes wrong
// is the error of Read.
func (d *Driver) VideoRecord(prop.Media) (video.Reader, error) {
	p, err := launch(d.path, d.cfg.args(d.index), d.hear)
	if err != nil {
		return nil, missing(err)
	}
	d.reader = newReader(d.cfg, p)
	return d.reader, nil
}

// String says what runs, for logs; the version from Open on.
func (d *Driver) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s camera %d %s", programName, d.index, d.version))
}

// hear ends a program that says that its pictures have another size than was asked for: the frames would be sheared.
func (d *Driver) hear(p *process, line string) {
	w, h, ok := configured(line)
	if ok && (w != d.cfg.Width || h != d.cfg.Height) {
		p.refuse(fmt.Errorf("the camera gives %dx%d and not %dx%d: choose another width and height", w, h, d.cfg.Width, d.cfg.Height))
	}
}

// configured reads the size of the first stream from libcamera's line "... configuring streams: (0) 640x360-YUV420/sYCC (1) ...".
func configured(line string) (w, h int, ok bool) {
	_, rest, found := strings.Cut(line, "configuring streams: (0) ")
	size, format, cut := strings.Cut(rest, "-")
	width, height, by := strings.Cut(size, "x")
	if !found || !cut || !by || !strings.HasPrefix(format, "YUV420") {
		return 0, 0, false
	}
	w, err := strconv.Atoi(width)
	if err != nil || w <= 0 {
		return 0, 0, false
	}
	h, err = strconv.Atoi(height)
	return w, h, err == nil && h > 0
}

var _ capture.Reader = (*reader)(nil)
