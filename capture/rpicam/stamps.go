// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"fmt"
	"time"
)

// oldest is how old a first picture may be; one that is older, or not taken yet, was stamped by a clock that is not ours.
const oldest = 2 * time.Second

// A picture may wait in some eight buffers and pipes. More, again and again, means that they are not what they seem.
const (
	lateFrames = 16               // times the interval
	lateSpare  = time.Second      // for a busy machine
	lateInARow = 32               // pictures
	farthest   = 1 << 20          // frames that one gap may count
	least      = time.Microsecond // between two frames
)

// stamps numbers the pictures and turns the sensor's times into PTS.
type stamps struct {
	interval time.Duration // nominal

	begun bool
	shift time.Duration // from the sensor's time to PTS
	at    time.Duration // of the last picture, by the sensor
	seq   uint64        // of the last picture
	pts   time.Duration
	late  int // pictures in a row
}

// take stamps a picture that was read at PTS now, when the sensor's clock showed clock. It uses now where the camera tells no time.
func (s *stamps) take(r record, now, clock time.Duration) error {
	if !s.begun {
		age := clock - r.at
		if r.at == 0 || age < 0 || age > oldest {
			age = 0
		}
		s.pts = max(now-age, 0)
		s.shift, s.at, s.begun = s.pts-r.at, r.at, true
		return nil
	}
	last := s.pts
	if r.at == 0 {
		s.pts = max(now, last+least)
	} else {
		s.pts = max(r.at+s.shift, last+least)
	}
	s.seq += s.step(r, s.pts-last)
	s.at = r.at
	if now-s.pts > lateFrames*s.interval+lateSpare {
		s.late++
	} else {
		s.late = 0
	}
	if s.late >= lateInARow {
		return fmt.Errorf("pictures are %v old when they come: their size is not what was asked for, or the board cannot keep up; try a lower rate",
			(now - s.pts).Round(time.Millisecond))
	}
	return nil
}

// step is how many frames further a picture is that comes after d: the camera drops some, and does not say so.
func (s *stamps) step(r record, d time.Duration) uint64 {
	interval := r.duration
	if interval <= 0 || interval > 100*s.interval {
		interval = s.interval
	}
	if d <= interval+interval/2 {
		return 1
	}
	return uint64(min((d+interval/2)/interval, farthest))
}
