// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/board/clock"
)

// An Opening is the moment from which a source counts its PTS. It tells the wall time of frames: that of the opening plus
// PTS, so that durations between frames are never those of a clock that is being set. One goroutine uses it.
type Opening struct {
	clock clock.Clock
	wall  clock.Wall // of start, as far as it is known
	start time.Time  // monotonic
	asked time.Time  // when the clock was asked last
}

// NewOpening returns one that is now. A nil clock means the system's.
func NewOpening(c clock.Clock) *Opening {
	if c == nil {
		c = clock.System(time.Time{})
	}
	now := time.Now()
	return &Opening{clock: c, wall: c.Now(), start: now, asked: now}
}

// Since returns the monotonic time since the opening.
func (o *Opening) Since() time.Duration { return time.Since(o.start) }

// Monotonic is the kernel's clock that V4L2 stamps its buffers with, and libcamera hands on.
func Monotonic() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// again is how often the clock is asked.
const again = time.Second

// At returns the wall time of a frame. Every second it asks the clock whether it was set since. A time that has another quality
// was said by somebody else: only then is its difference to ours a step, and not the clock's own pace.
func (o *Opening) At(pts time.Duration) clock.Wall {
	if time.Since(o.asked) >= again {
		o.asked = time.Now()
		if now := o.clock.Now(); now.Quality != o.wall.Quality {
			o.wall = clock.Wall{Time: now.Time.Add(-o.Since()), Quality: now.Quality}
		}
	}
	return clock.Wall{Time: o.wall.Time.Add(pts), Quality: o.wall.Quality}
}
