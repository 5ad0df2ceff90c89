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
	din   int  // the median of the blocks' mean |d|, in 1/64 level
	until time.Duration

	dark time.Duration // PTS of the last frame that lost half of its light
	cut  time.Duration // until when nothing is as it was
	rest time.Duration // until when there is no other cut
}

// A filter that is switched makes the picture dark, and bright again within cutWithin. What is dark and what is bright
// changes for good, and so does the noise: all is learnt anew for cutHold after the last flash, but not again within
// cutRest: lamps that flicker do this all the time.
const (
	cutWithin = 500 * time.Millisecond
	cutHold   = 400 * time.Millisecond
	cutMost   = time.Second
	cutRest   = 5 * time.Second
)

// measure finds the median of the blocks' mean differences, and whether more than a share of all
// blocks changed in the same direction, those that changed in the other one taken off: a camera that is turned makes as
// many of either.
func (l *light) measure(out []sums, g grid, behind int, share float64, pts time.Duration) {
	var histogram [511]int
	var up, down int
	var noise [256]int
	for b := range out {
		s := &out[b]
		area := g.area(b)
		shift := mean(s.shift(), area)
		histogram[shift+255]++
		noise[mean(s.sad(), area)]++
		switch {
		case shift >= lightStep:
			up++
		case shift <= -lightStep:
			down++
		}
	}
	median, below := -255, histogram[0]
	for 2*below < len(out) {
		median++
		below += histogram[median+255]
	}
	din, below := 0, noise[0]
	for 2*below < len(out) {
		din++
		below += noise[din]
	}
	l.din = din * noiseUnit
	behind = max(1, behind)
	l.gain = max(one/16, (behind+median)*one/behind)

	was := l.on
	l.flash = float64(max(up, down)-min(up, down)) > share*float64(len(out))
	if l.flash {
		l.until = pts + lightHold
		if down > up && l.gain < one/2 {
			l.dark = pts
		}
		switch both := up > down && pts-l.dark <= cutWithin; {
		case both && pts >= l.rest:
			l.cut, l.rest = pts+cutHold, pts+cutRest
		case pts < l.cut:
			l.cut = min(pts+cutHold, l.rest-cutRest+cutMost)
		}
	}
	l.on = l.flash || was && pts < l.until
}

// expect is told of a change before it is seen. While the filter is switched, every change is light.
func (l *light) expect(switching bool, pts time.Duration) {
	l.on, l.until = true, pts+lightHold
	l.flash = l.flash || switching
}

// between returns a gain, but within low and high times the gain of the picture.
func (l *light) between(gain, low, high int) int {
	return min(max(gain, low*l.gain/one), high*l.gain/one, maxGain)
}
