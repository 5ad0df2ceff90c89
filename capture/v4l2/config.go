// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"fmt"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
)

// Config says what the camera is to give. Zero values of Device, Buffers, Frames, Held and Clock mean the usual.
type Config struct {
	// Device is a path such as /dev/video0 or one of /dev/v4l/by-id, or the name that the camera has in [List]; empty is the first
	// camera that gives pictures.
	Device string
	// Width and Height are what is asked for; the device may give another size, which the source's format says.
	Width, Height int
	// Rate is the least frames per second that will do, 1 to 240.
	Rate float64

	// Buffers is how many of the device's are used, 2 to 32; 0 means 6.
	Buffers int
	// Frames is the size of the pool beyond Held, 0 means 8.
	Frames int
	// Held is how many bytes of frames the consumers keep (a pre-roll ring!). The pool has room for them.
	Held int64
	// Clock tells the wall time, nil means the system's.
	Clock clock.Clock
}

// Validate returns an error for what no camera gives.
func (c Config) Validate() error {
	if err := capture.CheckSize(c.Width, c.Height); err != nil {
		return err
	}
	if !(c.Rate >= 1 && c.Rate <= 240) { // also refuses NaN
		return fmt.Errorf("rate %g: must be 1 to 240 frames per second", c.Rate)
	}
	if c.Buffers != 0 && (c.Buffers < 2 || c.Buffers > maxBuffers) {
		return fmt.Errorf("%d buffers: must be 2 to %d", c.Buffers, maxBuffers)
	}
	if c.Frames < 0 || c.Held < 0 {
		return fmt.Errorf("pool of %d frames and %d bytes: must not be negative", c.Frames, c.Held)
	}
	return nil
}

// maxBuffers is the kernel's own bound (VIDEO_MAX_FRAME).
const maxBuffers = 32

// pooled is how many frames of a size the pool has.
func (c Config) pooled(width, height int) int {
	n := c.Frames
	if n == 0 {
		n = 8
	}
	return n + int(c.Held/int64(width*height*3/2))
}
