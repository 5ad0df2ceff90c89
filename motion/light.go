// SPDX-License-Identifier: Apache-2.0

package motion

import "time"

// lightHold is how long a change of light is assumed to go on after it was last seen.
const lightHold = time.Second

// one is the gain 1. Gains are in 1/256.
const one = 256

// light follows what the whole picture does at once.
type light struct {
	on    bool // the light changes, or did a moment ago
	flash bool // it changes in this frame
	gain  int  // of the picture over the background, from the median block
	until time.Duration
}

// measure finds the median of the blocks' mean differences, and whether more than a share of all
// blocks changed in the same direction, those that changed in the other one taken off: a camera that is turned makes as
// many of either.
func (l *light) measure(out []sums, g grid, share float64, pts time.Duration) {
	var histogram [511]int
	var luma, shift, up, down int
	for b := range out {
		s := &out[b]
		luma += int(s.luma)
		shift += s.shift()
		mean := s.shift() / g.area(b)
		histogram[mean+255]++
		switch {
		case mean >= lightStep:
			up++
		case mean <= -lightStep:
			down++
		}
	}
	median, below := -255, histogram[0]
	for 2*below < len(out) {
		median++
		below += histogram[median+255]
	}
	mean := max(1, (luma-shift)/(g.w*g.h))
	l.gain = max(one/16, (mean+median)*one/mean)

	was := l.on
	l.flash = float64(max(up, down)-min(up, down)) > share*float64(len(out))
	if l.flash {
		l.until = pts + lightHold
	}
	l.on = l.flash || was && pts < l.until
}
