// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"errors"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

var lampKind = kind{
	name: "lamp",
	doc: "a lamp is switched on over a part of the room and falls off smoothly (cosine-fourth law of a Lambertian " +
		"lamp over a plane); no shadows, no change of the camera's exposure",
	params: []param{
		{"at", 3, 0, 3600, "when it is switched on, in seconds"},
		{"off", 0, 0, 3600, "when it is switched off, in seconds, 0 for never"},
		{"rise", 0.1, 0, 60, "how long it takes to its full light, in seconds"},
		{"x", 0.3, -1, 2, "where it hangs, in widths of the picture"},
		{"y", 0.4, -1, 2, "where it hangs, in heights of the picture"},
		{"radius", 0.3, 0.02, 2, "how high it hangs, in widths of the picture: there its light is down to a quarter"},
		{"gain", 3, 0, 30, "its light below it, in multiples of the light in the film"},
	},
	build: func(v values) (Effect, error) {
		return &lamp{
			values: v, at: seconds(v.get("at")), off: seconds(v.get("off")), rise: seconds(v.get("rise")),
			x: v.q16("x"), y: v.q16("y"), radius: v.q16("radius"), gain: v.q16("gain"),
		}, nil
	},
}

type lamp struct {
	values
	at, off, rise      time.Duration
	x, y, radius, gain int64
	light              []int32
}

func (l *lamp) Apply(p motion.Plane, _ int, pts time.Duration) {
	on := span(pts, l.at, l.off, l.rise)
	if on == 0 {
		return
	}
	w, h := int64(p.W), int64(p.H)
	s := spot{x: l.x * w >> 8, y: l.y * h >> 8, rx: l.radius * w >> 8, ry: l.radius * w >> 8}
	l.light = shine(p, s, l.gain*on>>16, l.light)
}

// spot is a patch of light: centre and radii in 1/256 sample.
type spot struct{ x, y, rx, ry int64 }

// row tells how much of the light reaches the samples of row y, in 1/65536. It is false where the row stays dark.
func (s spot) row(y int, light []int32) bool {
	fall := falloff()
	rx, ry := max(s.rx, 256), max(s.ry, 256)
	dy := (int64(y)*256 + 128 - s.y) * 256 / ry // in 1/256 radius
	above := dy * dy / 1024                     // the table has 64 steps to a radius squared
	if above >= int64(len(fall)) {
		return false
	}
	inv := 1 << 32 / rx
	for x := range light {
		dx := (int64(x)*256 + 128 - s.x) * inv >> 24
		d := above + dx*dx/1024
		light[x] = 0
		if d < int64(len(fall)) {
			light[x] = fall[d]
		}
	}
	return true
}

// shine adds to each sample the light of the spot: the film's own light times gain in its middle. It returns light,
// its scratch memory for a row.
func shine(p motion.Plane, s spot, gain int64, light []int32) []int32 {
	t := curve()
	light = resize(light, p.W)
	for y := range p.H {
		if !s.row(y, light) {
			continue
		}
		line := row(p, y)
		for x, share := range light {
			if share > 0 {
				line[x] = t.lit(line[x], one+gain*int64(share)>>16)
			}
		}
	}
	return light
}

var headlightsKind = kind{
	name: "headlights",
	doc: "a patch of light sweeps over the picture from the left or the right, as of a car that turns outside; no " +
		"shadows that move with it",
	params: []param{
		{"from", 3, 0, 3600, "when it comes in, in seconds"},
		{"to", 5, 0, 3600, "when it has left, in seconds"},
		{"y", 0.5, -1, 2, "its height, in heights of the picture"},
		{"radius", 0.12, 0.01, 1, "its height at a quarter of its light, in widths of the picture; it is twice as wide"},
		{"gain", 4, 0, 30, "its light in its middle, in multiples of the light in the film"},
		{"dir", 1, -1, 1, "goes to the left if less than 0, else to the right"},
	},
	build: func(v values) (Effect, error) {
		e := &headlights{
			values: v, from: seconds(v.get("from")), to: seconds(v.get("to")), y: v.q16("y"), radius: v.q16("radius"),
			gain: v.q16("gain"), left: v.get("dir") < 0,
		}
		if e.to <= e.from {
			return nil, errors.New("to must be later than from")
		}
		return e, nil
	},
}

type headlights struct {
	values
	from, to        time.Duration
	y, radius, gain int64
	left            bool
	light           []int32
}

func (e *headlights) Apply(p motion.Plane, _ int, pts time.Duration) {
	if pts < e.from || pts >= e.to {
		return
	}
	w := int64(p.W)
	r := e.radius * w >> 8
	way := int64(pts-e.from) * one / int64(e.to-e.from)
	if e.left {
		way = one - way
	}
	reach := 8 * r // the light ends at four radii, and it is twice as wide as high
	x := -reach + (w*256+2*reach)*way>>16
	e.light = shine(p, spot{x: x, y: e.y * int64(p.H) >> 8, rx: 2 * r, ry: r}, e.gain, e.light)
}

var cloudsKind = kind{
	name: "clouds",
	doc: "light and shade drift over the picture: value noise that moves with the wind and changes its shape; no hard " +
		"edges, no change of the camera's exposure",
	params: []param{
		{"depth", 0.4, 0, 0.9, "the greatest change of the light, as a share"},
		{"period", 8, 0.5, 600, "how long until the shape is another one, in seconds"},
		{"size", 0.6, 0.1, 4, "how wide a patch is, in widths of the picture"},
		{"wind", 0.1, -2, 2, "how fast the patches drift to the right, in widths of the picture per second"},
		seedParam,
	},
	build: func(v values) (Effect, error) {
		return &clouds{
			values: v, depth: v.q16("depth"), period: v.get("period"), size: v.q16("size"), wind: v.get("wind"),
			base: v.seed(),
		}, nil
	},
}

type clouds struct {
	values
	depth, period, size, wind int64
	base                      uint64
	field                     field
}

func (c *clouds) Apply(p motion.Plane, _ int, pts time.Duration) {
	t := curve()
	us := pts.Microseconds()
	f := &c.field
	f.resize(p.W, p.H, 16)
	cell := max(1, c.size*int64(p.W)>>16)
	drift := us * c.wind / 1e6 // millionths of a width
	drift = drift * one / 1e6 * one / c.size
	when := us / 1e3 * one / (c.period / 1e3)
	for i := range f.nodes {
		x, y := int64(i%f.cols*f.step), int64(i/f.cols*f.step)
		f.nodes[i] = int32(one + c.depth*lattice(c.base, x*one/cell-drift, y*one/cell, when)>>16)
	}
	for y := range p.H {
		line, gains := row(p, y), f.row(y)
		for x, v := range line {
			line[x] = t.lit(v, int64(gains[x]))
		}
	}
}
