// SPDX-License-Identifier: Apache-2.0

// Package h264 encodes frames as H.264 (ITU-T H.264, Constrained Baseline). Start with [New] and [Encoder.Encode]. The encoder
// is openh264, statically linked through mediadevices; it is the only cgo of the agent. Without cgo the package builds and
// New returns [ErrNoEncoder].
package h264

import (
	"errors"
	"fmt"

	"github.com/nightjar-cam/nightjar/capture"
)

// ErrNoEncoder is returned by a program that was built without cgo.
var ErrNoEncoder = errors.New("this program was built without an H.264 encoder: build it with CGO_ENABLED=1")

// Config of an encoder. Zero BitRate and KeyInterval take their defaults.
type Config struct {
	Width, Height int     // of the frames, in pixels, both even
	FrameRate     float64 // nominal, frames a second, above 0
	BitRate       int     // bits a second; default [DefaultBitRate]
	KeyInterval   int     // frames from keyframe to keyframe; default two seconds' worth
}

// AccessUnit is one encoded frame.
type AccessUnit struct {
	Data     []byte // Annex B byte stream, owned by the caller; parameter sets come before each keyframe
	Keyframe bool   // an IDR picture: decoding can begin here
}

// DefaultBitRate is a tenth of a bit a pixel, and at least 400 kbit/s: below, faces of a small picture wash out.
func DefaultBitRate(width, height int, frameRate float64) int {
	return max(400_000, min(maxBitRate, int(float64(width*height)*frameRate/10)))
}

// maxBitRate, a gigabit, is far below what openh264's int takes.
const maxBitRate = 1_000_000_000

// fill checks the config and puts in the defaults.
func (c *Config) fill() error {
	if err := capture.CheckSize(c.Width, c.Height); err != nil {
		return err
	}
	if !(c.FrameRate > 0 && c.FrameRate <= 1000) {
		return fmt.Errorf("frame rate %g: must be above 0 and up to 1000", c.FrameRate)
	}
	if c.BitRate < 0 || c.BitRate > maxBitRate {
		return fmt.Errorf("bit rate %d: must be 0 to %d", c.BitRate, maxBitRate)
	}
	if c.KeyInterval < 0 || c.KeyInterval > 1_000_000 {
		return fmt.Errorf("key interval %d: must be 0 to 1000000", c.KeyInterval)
	}
	if c.BitRate == 0 {
		c.BitRate = DefaultBitRate(c.Width, c.Height, c.FrameRate)
	}
	if c.KeyInterval == 0 {
		c.KeyInterval = max(1, int(2*c.FrameRate))
	}
	return nil
}
