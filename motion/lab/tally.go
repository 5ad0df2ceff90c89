// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"math"
	"time"
)

// Tally counts how a detector's frames agree with the truth. Tallies of several scenes add up.
type Tally struct {
	Present, Empty int // scored frames, by what the labels say
	Found          int // present frames with motion
	False          int // empty frames with motion
	Events, Hit    int // an event is hit when any frame within it has motion
	FalseEvents    int // stretches of motion in scored empty frames that touch no present one
	FalseTime      time.Duration
	Late           time.Duration // the sum over events that are hit, from their first frame to the first with motion
	Latest         time.Duration
}

// tally compares what a detector said of each frame with the truth.
func (t truth) tally(times []time.Duration, moving []bool) Tally {
	var c Tally
	for i, motion := range moving {
		switch {
		case !t.scored[i]:
		case t.present[i]:
			c.Present++
			if motion {
				c.Found++
			}
		default:
			c.Empty++
			if motion {
				c.False++
				c.FalseTime += lasts(times, i)
			}
		}
	}
	for _, e := range t.events {
		c.Events++
		for i := e[0]; i <= e[1]; i++ {
			if moving[i] {
				c.Hit++
				late := times[i] - times[e[0]]
				c.Late += late
				c.Latest = max(c.Latest, late)
				break
			}
		}
	}
	for _, r := range runs(moving) {
		wrong := false
		for i := r[0]; i <= r[1]; i++ {
			if t.present[i] {
				wrong = false
				break
			}
			wrong = wrong || t.scored[i]
		}
		if wrong {
			c.FalseEvents++
		}
	}
	return c
}

// lasts returns how long frame i is shown; of the last one nobody knows, so it lasts as long as the one before.
func lasts(times []time.Duration, i int) time.Duration {
	switch {
	case i+1 < len(times):
		return times[i+1] - times[i]
	case i > 0:
		return times[i] - times[i-1]
	}
	return 0
}

// Add adds the counts of another scene.
func (c *Tally) Add(o Tally) {
	c.Present, c.Empty, c.Found, c.False = c.Present+o.Present, c.Empty+o.Empty, c.Found+o.Found, c.False+o.False
	c.Events, c.Hit, c.FalseEvents = c.Events+o.Events, c.Hit+o.Hit, c.FalseEvents+o.FalseEvents
	c.FalseTime, c.Late, c.Latest = c.FalseTime+o.FalseTime, c.Late+o.Late, max(c.Latest, o.Latest)
}

// Recall is the share of the present frames that have motion. Where there is nothing to divide by, this and the
// following are NaN.
func (c Tally) Recall() float64 { return ratio(c.Found, c.Present) }

// Precision is the share of present frames in those with motion.
func (c Tally) Precision() float64 { return ratio(c.Found, c.Found+c.False) }

// F1 is the harmonic mean of recall and precision, NaN where nothing is present.
func (c Tally) F1() float64 {
	if c.Present == 0 {
		return math.NaN()
	}
	return ratio(2*c.Found, c.Present+c.Found+c.False)
}

// FPR is the share of the empty frames that have motion.
func (c Tally) FPR() float64 { return ratio(c.False, c.Empty) }

// MeanLate is how late the events that are hit are seen.
func (c Tally) MeanLate() time.Duration {
	if c.Hit == 0 {
		return 0
	}
	return c.Late / time.Duration(c.Hit)
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}
