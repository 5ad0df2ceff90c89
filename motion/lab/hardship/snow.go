// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

var snowKind = kind{
	name: "snow",
	doc: "flakes of several sizes fall at about a metre per second, drift and swing; each is followed from frame to " +
		"frame and blurred along its way; sizes are exponential from 2 to 10 mm, a simplification of Gunn and Marshall " +
		"(1958); no tumbling shapes, no haze, all in focus, nothing settles",
	params: []param{
		{"density", 60, 1, 1000, "flakes per cubic metre of air"},
		{"speed", 1, 0.2, 4, "how fast they fall, in m/s; each one up to a fifth more or less"},
		{"wind", 0.5, -10, 10, "wind to the right, in m/s"},
		{"exposure", 8, 0.1, 40, "the time of exposure, in ms"},
		{"light", 1, 0, 16, "the light of a flake, in multiples of white: the sky's by day, several under IR lamps"},
		seedParam,
	},
	build: func(v values) (Effect, error) {
		return &snow{
			values: v, light: v.q16("light") * white >> 16, speed: v.get("speed"), wind: v.get("wind"),
			exposure: v.get("exposure"), base: v.seed(),
		}, nil
	},
}

type snow struct {
	values
	light, speed, wind, exposure int64 // linear light, um/s, um/s, ns
	base                         uint64
	w, h                         int
	layers                       []flakes
}

// flakes are those of one slab.
type flakes struct {
	count  int
	scale  int64     // 1/256 samples per metre
	radius [64]int64 // quantiles of the sizes, in 1/256 sample
	margin int64     // around the picture, in 1/256 sample
}

// fit makes the tables for pictures of w by h samples.
func (s *snow) fit(w, h int) {
	if s.w == w && s.h == h {
		return
	}
	s.w, s.h = w, h
	s.layers = make([]flakes, len(slabs))
	for i, slab := range slabs {
		l := &s.layers[i]
		scale := float64(focal*float64(w)) / slab.depth()
		l.scale = round(float64(scale * 256))
		for j := range l.radius {
			d := min(10, 2-float64(1.5*ln(1-(float64(j)+0.5)/64))) // mm
			l.radius[j] = max(1, round(float64(d/2000*scale*256)))
		}
		l.margin = l.radius[len(l.radius)-1] + l.scale*s.exposure/1e9*2*max(s.speed, abs(s.wind))/1e6 + 512
		m := float64(2*l.margin) / 256
		share := (float64(w) + m) / float64(w) * ((float64(h) + m) / float64(h))
		l.count = int(math.Floor(float64(s.float("density")*slab.volume(float64(h)/float64(w))*share) + 0.5))
	}
}

func (s *snow) Apply(p motion.Plane, _ int, pts time.Duration) {
	if p.W <= 0 || p.H <= 0 {
		return
	}
	s.fit(p.W, p.H)
	for i := range s.layers {
		l := &s.layers[i]
		k := key(s.base, 0, uint64(i))
		for j := range l.count {
			s.flake(p, l, draw(k, uint64(j)), pts)
		}
	}
}

// flake draws the flake with the random number h where it is at pts.
func (s *snow) flake(p motion.Plane, l *flakes, h uint64, pts time.Duration) {
	speed := s.speed * (one*4/5 + uniform(h, one*2/5)) >> 16
	high, wide := int64(p.H)*256+2*l.margin, int64(p.W)*256+2*l.margin
	way := uniform(h>>20, high) + metres(speed, pts)*l.scale>>16
	// Each time it leaves below, another one enters above.
	cycle, y := floorDiv(way, high)
	g := mix(h + uint64(cycle)*gamma64)
	across := uniform(g, wide) + metres(s.wind, pts)*l.scale>>16
	// It swings by 2 cm in 1 to 3 s.
	swing := turns(333_000+uniform(g>>20, 667_000), pts) + int64(g>>40&0xffff)
	across += l.scale * 2 / 100 * sin(swing) >> 16
	_, x := floorDiv(across, wide)
	x, y = x-l.margin, y-l.margin
	radius := l.radius[g>>56&63]
	// While the shutter is open it goes on.
	dx := s.wind * s.exposure / 1e9 * l.scale / 1e6
	dy := speed * s.exposure / 1e9 * l.scale / 1e6
	blob(p, capsule{x, y, dx, dy, radius}, s.light)
}

// metres returns how far something gets at so many um/s, in 1/65536 m.
func metres(speed int64, t time.Duration) int64 {
	return speed * t.Microseconds() / 1e6 * one / 1e6
}

// floorDiv divides with a remainder that is not negative.
func floorDiv(a, b int64) (q, r int64) {
	q, r = a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

// blob blends a flake. Its light is spread over its way, and over a sample if it is smaller than one.
func blob(p motion.Plane, c capsule, light int64) {
	t := curve()
	alpha := int64(one)
	if c.r < 181 { // a disc of one sample's area has a radius of 144; below, edges are wider than the disc
		alpha = alpha * c.r * c.r / (181 * 181)
		c.r = 181
	}
	way := isqrt(c.dx*c.dx + c.dy*c.dy)
	alpha = alpha * 2 * c.r / (2*c.r + way)
	x0, y0, x1, y1 := c.bounds(p.W, p.H)
	for y := y0; y < y1; y++ {
		line := row(p, y)
		for x := x0; x < x1; x++ {
			if cover := c.cover(int64(x)*256+128, int64(y)*256+128); cover > 0 {
				line[x] = t.blend(line[x], light, alpha*cover>>8)
			}
		}
	}
}

// capsule is all that is within r of a line from x, y to x+dx, y+dy, in 1/256 sample.
type capsule struct{ x, y, dx, dy, r int64 }

// bounds returns the samples x0 <= x < x1, y0 <= y < y1 that a capsule may touch within a picture.
func (c capsule) bounds(w, h int) (x0, y0, x1, y1 int) {
	low := func(a, d int64) int { return int(max((min(a, a+d)-c.r)>>8-1, 0)) }
	high := func(a, d int64, n int) int { return int(min((max(a, a+d)+c.r)>>8+2, int64(n))) }
	return low(c.x, c.dx), low(c.y, c.dy), high(c.x, c.dx, w), high(c.y, c.dy, h)
}

// cover tells how much of the sample around x, y the capsule covers, 0 to 256: its edge is a sample wide.
func (c capsule) cover(x, y int64) int64 {
	px, py := x-c.x, y-c.y
	if n := c.dx*c.dx + c.dy*c.dy; n > 0 {
		if dot := px*c.dx + py*c.dy; dot >= n {
			px, py = px-c.dx, py-c.dy
		} else if dot > 0 {
			t := dot * 4096 / n
			px, py = px-c.dx*t>>12, py-c.dy*t>>12
		}
	}
	d2 := px*px + py*py
	if out := c.r + 128; d2 >= out*out {
		return 0
	}
	// (r*r - d*d)/2r is near r-d at the edge, without a root.
	return min(max((c.r*c.r-d2)/(2*c.r)+128, 0), 256)
}
