// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"time"

	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/motion/lab/hardship"
)

// Frames that no label is meant to judge, where a scene has no CSV file that says so itself.
const (
	before  = 500 * time.Millisecond // an event: its first frame is a matter of opinion
	after   = time.Second            // an event: the detector holds on, and so does a shadow
	opening = 100                    // frames of a film with events
	settled = 2 * time.Second        // what an empty film gives the detector to learn
)

// truth is what the labels say of the frames of a film.
type truth struct {
	present, scored []bool
	events          [][2]int
}

// Labelled tells whether anything is known of the scene.
func (s *Scene) Labelled() bool {
	return s.Empty || len(s.Events)+len(s.EventsROI)+len(s.rows) > 0
}

// truth judges the frames of a film with these times and pictures of so many samples.
func (s *Scene) truth(times []time.Duration, samples int, effects []hardship.Effect) truth {
	n := len(times)
	t := truth{present: make([]bool, n), scored: make([]bool, n)}
	events := s.Events
	if len(s.EventsROI) > 0 {
		events = s.EventsROI
	}
	switch {
	case s.rows != nil:
		t.rows(s.rows, samples)
		if len(events) == 0 {
			events = runs(t.present)
		}
	case s.Empty:
		for i, at := range times {
			t.scored[i] = at-times[0] >= settled
		}
	case len(events) > 0:
		for i := opening; i < n; i++ {
			t.scored[i] = true
		}
	}
	for _, e := range events {
		if e[0] < n { // or else the film ends before
			t.events = append(t.events, [2]int{e[0], min(e[1], n-1)})
		}
	}
	if s.rows == nil {
		t.mark(times, t.events)
	}
	if people := persons(times, effects); len(people) > 0 {
		for _, e := range people {
			for i := e[0]; i <= e[1]; i++ {
				t.scored[i] = true
			}
		}
		t.mark(times, people)
		t.events = append(t.events, people...)
	}
	for _, e := range s.Ignore {
		for i := e[0]; i <= min(e[1], n-1); i++ {
			t.scored[i] = false
		}
	}
	t.events = judged(t)
	return t
}

// rows takes the frames as a CSV file has them. With less than half a per cent of foreground there is something, but
// nobody says that it must be found: such frames are not scored.
func (t *truth) rows(rows []row, samples int) {
	for _, r := range rows {
		if r.frame >= len(t.present) {
			continue
		}
		t.present[r.frame], t.scored[r.frame] = r.present, r.valid
		if r.foreground >= 0 {
			enough := float64(r.foreground) >= leastForeground*float64(samples)
			t.present[r.frame] = enough
			t.scored[r.frame] = r.valid && (enough || r.foreground == 0)
		}
	}
}

// mark says that something is present in events, and takes the frames around them out of the score.
func (t *truth) mark(times []time.Duration, events [][2]int) {
	for _, e := range events {
		for i := e[0]; i <= e[1]; i++ {
			t.present[i] = true
		}
	}
	for _, e := range events {
		for i, at := range times {
			if !t.present[i] && at >= times[e[0]]-before && at <= times[e[1]]+after {
				t.scored[i] = false
			}
		}
	}
}

// persons returns the events that effects put into the film.
func persons(times []time.Duration, effects []hardship.Effect) (events [][2]int) {
	for _, e := range effects {
		someone, ok := e.(hardship.Truth)
		if !ok {
			continue
		}
		from, to := someone.Interval()
		seen := make([]bool, len(times))
		for i, at := range times {
			seen[i] = at >= from && at < to
		}
		events = append(events, runs(seen)...)
	}
	return events
}

// judged keeps the events in which any frame is scored.
func judged(t truth) (kept [][2]int) {
	for _, e := range t.events {
		for i := e[0]; i <= e[1]; i++ {
			if t.scored[i] {
				kept = append(kept, e)
				break
			}
		}
	}
	return kept
}

// runs returns the stretches of frames that are true.
func runs(frames []bool) (all [][2]int) {
	for i, on := range frames {
		switch {
		case !on:
		case i > 0 && frames[i-1]:
			all[len(all)-1][1] = i
		default:
			all = append(all, [2]int{i, i})
		}
	}
	return all
}

// zoned returns cfg with the scene's region as the only zone, where it has one.
func (s *Scene) zoned(cfg motion.Config, width, height int) motion.Config {
	if s.ROI == nil {
		return cfg
	}
	x := func(v int) float64 { return float64(min(v, width)) / float64(width) }
	y := func(v int) float64 { return float64(min(v, height)) / float64(height) }
	x0, y0, x1, y1 := x(s.ROI[0]), y(s.ROI[1]), x(s.ROI[2]), y(s.ROI[3])
	cfg.Zones = []motion.Zone{{Name: "roi", Kind: motion.Include, Polygon: [][2]float64{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}}}
	return cfg
}
