// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
)

// Config says what the camera is to give. The zero values of Program, Camera, Focus, Frames and Clock mean the usual.
type Config struct {
	// Program is the path of rpicam-vid; empty looks for it in PATH.
	Program string
	// Camera is an index, an id or the name of a sensor, as [List] shows them; empty is the first.
	Camera string
	// Width is a multiple of 128, Height is even.
	Width, Height int
	// Rate is in frames per second, 1 to 120. The exposure cannot be longer than a frame.
	Rate float64
	// Rotation is 0 or 180, for a camera that hangs upside down.
	Rotation     int
	HFlip, VFlip bool
	// Focus is "continuous", "once" (at the start), or a fixed distance in dioptres: 0 is infinity, 0.5 is two metres. Empty
	// leaves it to the program. Only some cameras have a lens that moves.
	Focus string

	// Frames is the size of the pool beyond Held, 0 means 8.
	Frames int
	// Held is how many bytes of frames the consumers keep (a pre-roll ring!). The pool has room for them.
	Held int64
	// Clock tells the wall time, nil means the system's.
	Clock clock.Clock
}

// The stride is the width exactly where the chroma's stride of 64 bytes, which a Pi 5 wants, is met.
const widthStep = 128

// maxDioptres is as near as any lens goes: three centimetres.
const maxDioptres = 32

// Validate returns an error, which says what to choose, for what no camera gives.
func (c Config) Validate() error {
	if err := capture.CheckSize(c.Width, c.Height); err != nil {
		return err
	}
	if c.Width%widthStep != 0 {
		below := max(c.Width/widthStep*widthStep, widthStep)
		return fmt.Errorf("width %d: rows of other widths than multiples of %d are padded, on each board in its own way; choose %d or %d",
			c.Width, widthStep, below, below+widthStep)
	}
	if !(c.Rate >= 1 && c.Rate <= 120) { // also refuses NaN
		return fmt.Errorf("rate %g: must be 1 to 120 frames per second", c.Rate)
	}
	if c.Rotation != 0 && c.Rotation != 180 {
		return fmt.Errorf("rotation %d: must be 0 or 180; the camera cannot turn a picture on its side", c.Rotation)
	}
	if _, err := focusArgs(c.Focus); err != nil {
		return err
	}
	if c.Frames < 0 || c.Held < 0 {
		return fmt.Errorf("pool of %d frames and %d bytes: must not be negative", c.Frames, c.Held)
	}
	return nil
}

// interval is the nominal time between two frames.
func (c Config) interval() time.Duration { return time.Duration(float64(time.Second) / c.Rate) }

// pooled is the number of frames that the pool has.
func (c Config) pooled() int {
	n := c.Frames
	if n == 0 {
		n = 8
	}
	return n + int(c.Held/int64(c.Width*c.Height*3/2))
}

func focusArgs(focus string) ([]string, error) {
	switch focus {
	case "":
		return nil, nil
	case "continuous":
		return []string{"--autofocus-mode", "continuous"}, nil
	case "once":
		return []string{"--autofocus-mode", "auto"}, nil
	}
	d, err := strconv.ParseFloat(focus, 64)
	if err != nil || !(d >= 0 && d <= maxDioptres) {
		return nil, fmt.Errorf("focus %q: must be continuous, once, or a distance in dioptres, 0 (infinity) to %d", focus, maxDioptres)
	}
	return []string{"--autofocus-mode", "manual", "--lens-position", strconv.FormatFloat(d, 'f', -1, 64)}, nil
}

// args is the command line for the camera of an index. Nothing in it is a string from outside: all is a number, or a word of this file.
func (c Config) args(index int) []string {
	args := []string{
		"--timeout", "0", // until it is told
		"--nopreview",
		"--verbose", "1", // 0 would hide what goes wrong
		"--camera", strconv.Itoa(index),
		"--codec", "yuv420",
		"--width", strconv.Itoa(c.Width),
		"--height", strconv.Itoa(c.Height),
		"--framerate", strconv.FormatFloat(math.Round(c.Rate*1000)/1000, 'f', -1, 64),
		"--flush",
		"--output", "-",
		"--metadata", metadataPath,
		"--metadata-format", "txt",
	}
	if c.Rotation != 0 {
		args = append(args, "--rotation", strconv.Itoa(c.Rotation))
	}
	if c.HFlip {
		args = append(args, "--hflip")
	}
	if c.VFlip {
		args = append(args, "--vflip")
	}
	focus, _ := focusArgs(c.Focus) // was validated
	return append(args, focus...)
}
