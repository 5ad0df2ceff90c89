// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"image"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
)

// MaxPixels bounds the area of a frame; a driver refuses a larger picture before it allocates anything.
const MaxPixels = 1 << 25

// Plane is one 8-bit plane of a picture. Row y starts at Pix[y*Stride] and has W samples.
type Plane struct {
	Pix          []byte
	Stride, W, H int
}

// Frame is one picture, 8-bit 4:2:0 in full range (BT.601 as in JFIF, which is what image.YCbCr means).
//
// A frame belongs to a [Pool], or is on [Loan]. Whoever gets one owns one reference and gives it back with Release; the
// last Release returns the frame, and its pixels may change from then on. The driver writes a frame before it
// hands it out; after that all holders only read it, so they may do so at the same time. Who keeps one for longer calls Keep.
type Frame struct {
	image.YCbCr
	Seq  uint64        // rises by one for each frame the driver saw; a gap means that frames were lost
	PTS  time.Duration // monotonic time since the source was opened, strictly rising
	Wall clock.Wall    // guess of the wall clock at PTS
	// Light is what the camera says of it; the zero value where it says nothing.
	Light Light

	home    home
	lent    *Loan // nil: the frame is a pool's
	refs    atomic.Int32
	release func() // Release as a func value, made once: a method value made for each frame would allocate
}

// Light is what a camera knows of the light in a frame. A field is 0 where it is not known.
type Light struct {
	// Exposure is the exposure time in seconds times all gains: how much a given light shows in the picture.
	Exposure float64
	// Lux is how bright the scene is, as the camera guesses.
	Lux float64
}

// Luma returns the Y plane. It shares the frame's memory and is valid as long as the caller's reference.
func (f *Frame) Luma() Plane {
	return Plane{Pix: f.Y, Stride: f.YStride, W: f.Rect.Dx(), H: f.Rect.Dy()}
}

// Bytes returns the memory that the frame's pixels occupy.
func (f *Frame) Bytes() int64 { return int64(len(f.Y) + len(f.Cb) + len(f.Cr)) }

// Retain adds a reference and returns f. Only a holder of a reference may call it; it panics on a frame
// that was returned to its pool already. It may be called from any goroutine.
func (f *Frame) Retain() *Frame {
	if f.refs.Add(1) < 2 {
		panic(fmt.Sprintf("capture: frame %d retained after its last release", f.Seq))
	}
	return f
}

// Release gives one reference back. It panics when all references were given back already. It may be
// called from any goroutine.
func (f *Frame) Release() {
	switch refs := f.refs.Add(-1); {
	case refs < 0:
		panic(fmt.Sprintf("capture: frame %d released more often than it was retained", f.Seq))
	case refs == 0:
		f.home.put(f)
	}
}

// ReleaseFunc returns Release as a value, for a driver's Read: it is made once, where a method value would be made anew, and
// allocated, for each frame.
func (f *Frame) ReleaseFunc() func() { return f.release }

// erase overwrites the picture. Only who holds the last reference may call it.
func (f *Frame) erase() {
	clear(f.Y)
	clear(f.Cb)
	clear(f.Cr)
}

// CheckSize returns an error unless width and height are positive, even, and at most [MaxPixels] in
// area. Even, because 4:2:0 chroma and the H.264 encoder know no half sample.
func CheckSize(width, height int) error {
	if width <= 0 || height <= 0 || width%2 != 0 || height%2 != 0 {
		return fmt.Errorf("picture size %dx%d: width and height must be positive and even", width, height)
	}
	if width > MaxPixels/height {
		return fmt.Errorf("picture size %dx%d: more than %d pixels", width, height, MaxPixels)
	}
	return nil
}
