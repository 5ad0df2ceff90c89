// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package h264

import (
	"errors"
	"fmt"
	"image"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/openh264"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/capture"
)

// Encoder encodes one film. One goroutine uses it. Its first frame is a keyframe.
type Encoder struct {
	cfg     Config
	codec   codec.ReadCloser
	current *capture.Frame // what the codec reads next
}

// Limits of openh264, in pixels. Too large a picture it refuses without a word why, too small a one only with the first frame.
const (
	minSide = 16
	maxArea = 4096 * 2304 // level 5.2
)

// New starts an encoder; the caller closes it.
func New(cfg Config) (*Encoder, error) {
	if err := cfg.fill(); err != nil {
		return nil, fmt.Errorf("start H.264 encoder: %w", err)
	}
	if cfg.Width < minSide || cfg.Height < minSide || cfg.Width*cfg.Height > maxArea {
		return nil, fmt.Errorf("start H.264 encoder: picture size %dx%d: it takes %[3]dx%[3]d to 4096x2304", cfg.Width, cfg.Height, minSide)
	}
	params, err := openh264.NewParams()
	if err != nil {
		return nil, fmt.Errorf("start H.264 encoder: %w", err)
	}
	params.BitRate = cfg.BitRate
	params.IntraPeriod = uint(cfg.KeyInterval)
	// A skipped frame would be one that the record counts and the film does not have.
	params.EnableFrameSkip = false
	// The bridge never sets openh264's time stamps, which its bit-rate modes steer by; the quality mode does without.
	params.RCMode = openh264.RCQualityMode
	params.SliceMode, params.SliceNum = openh264.SMSingleSlice, 1
	params.MultipleThreadIdc = 1

	e := &Encoder{cfg: cfg}
	e.codec, err = params.BuildVideoEncoder(video.ReaderFunc(e.next), prop.Media{
		Video: prop.Video{Width: cfg.Width, Height: cfg.Height, FrameRate: float32(cfg.FrameRate)},
	})
	if err != nil {
		return nil, fmt.Errorf("start H.264 encoder: %w", err)
	}
	return e, nil
}

// next is the codec's reader. The frame is the caller's for as long as Encode runs.
func (e *Encoder) next() (image.Image, func(), error) {
	return &e.current.YCbCr, func() {}, nil
}

// Encode encodes a frame and only reads it.
func (e *Encoder) Encode(f *capture.Frame) (AccessUnit, error) {
	if size := f.Rect.Size(); size.X != e.cfg.Width || size.Y != e.cfg.Height {
		// openh264 would read beyond the planes.
		return AccessUnit{}, fmt.Errorf("encode frame %d: it has %dx%d, the film %dx%d", f.Seq, size.X, size.Y, e.cfg.Width, e.cfg.Height)
	}
	e.current = f
	data, release, err := e.codec.Read()
	e.current = nil
	if err != nil {
		return AccessUnit{}, fmt.Errorf("encode frame %d: %w", f.Seq, err)
	}
	release()
	if len(data) == 0 {
		return AccessUnit{}, fmt.Errorf("encode frame %d: %w", f.Seq, errors.New("the encoder left it out"))
	}
	return AccessUnit{Data: data, Keyframe: hasIDR(data)}, nil
}

// ForceKeyframe makes the next frame a keyframe. It must not be called after Close.
func (e *Encoder) ForceKeyframe() {
	if c, ok := e.codec.Controller().(codec.KeyFrameController); ok {
		c.ForceKeyFrame()
	}
}

// Close frees the encoder.
func (e *Encoder) Close() error { return e.codec.Close() }

// hasIDR looks for a NAL unit of type 5 behind a start code (ITU-T H.264, table 7-1 and annex B).
func hasIDR(stream []byte) bool {
	for i := 0; i+3 < len(stream); i++ {
		if stream[i] == 0 && stream[i+1] == 0 && stream[i+2] == 1 && stream[i+3]&0x1f == 5 {
			return true
		}
	}
	return false
}
