// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// focal is the focal length of the camera that sees rain and snow, in widths of the picture: a field of view of 60
// degrees across.
const focal = 0.8660254037844386

// slab is a layer of air before the camera, in metres. All that falls in it is drawn at its middle.
type slab struct{ near, far float64 }

// slabs end where a drop is much smaller than a sample and the rest is haze.
var slabs = []slab{{0.3, 0.5}, {0.5, 0.8}, {0.8, 1.3}, {1.3, 2.1}, {2.1, 3.4}}

func (s slab) depth() float64 { return (s.near + s.far) / 2 }

// volume returns the air that a picture of the given height in widths sees within the slab, in cubic metres.
func (s slab) volume(aspect float64) float64 {
	cube := func(x float64) float64 { return float64(float64(x*x) * x) }
	return float64(aspect/(focal*focal)*(cube(s.far)-cube(s.near))) / 3
}

var rainKind = kind{
	name: "rain",
	doc: "streaks of drops: sizes after Marshall and Palmer (1948), falling with 200*sqrt(radius) m/s, blended as in " +
		"Garg and Nayar, \"Vision and rain\" (2007): for the share of the exposure in which the drop covers a sample, the " +
		"sample has the light of the drop; no drop is seen in two frames, no haze, no splashes, no drops on the lens, no " +
		"oscillation of drops, all in focus",
	params: []param{
		{"rate", 25, 0.1, 150, "the rain, in mm per hour: 2 light, 10 moderate, 25 heavy, 100 a cloudburst"},
		{"exposure", 4, 0.1, 40, "the time of exposure, in ms: longer streaks, and fainter ones"},
		{"wind", 1, -20, 20, "wind to the right, in m/s"},
		{"light", 1, 0, 16, "the light of a drop, in multiples of white: the sky's by day, several under IR lamps"},
		{"smallest", 1, 0.5, 3, "the smallest drop that is drawn, in mm of diameter"},
		seedParam,
	},
	build: func(v values) (Effect, error) {
		return &rain{values: v, light: v.q16("light") * white >> 16, base: v.seed()}, nil
	},
}

// rain draws streaks. Its tables depend on the size of the picture.
type rain struct {
	values
	light  int64 // linear light of a drop
	base   uint64
	w, h   int
	layers []layer
}

// layer is what falls within one slab.
type layer struct {
	count  []int32     // quantiles of how many there are in a frame
	drops  [256]streak // quantiles of the sizes
	xs, ys int64       // where they may begin is wider than the picture by this, in 1/256 sample
}

// streak is what one drop leaves in a frame.
type streak struct {
	length, width int64 // in 1/256 sample, the length downwards
	slant         int64 // sideways per sample downwards, in 1/256
	alpha         int64 // share of the exposure, in 1/65536
}

// marshallPalmer returns the slope of the drop sizes in 1/mm: there are 8000*exp(-slope*D) drops of diameter D per
// cubic metre and mm of diameter.
func marshallPalmer(rate float64) float64 { return float64(4.1 * power(rate, -0.21)) }

// fall returns the terminal velocity in m/s of a drop of diameter d in mm, as Garg and Nayar have it.
func fall(d float64) float64 { return float64(200 * math.Sqrt(d/2000)) }

// fit makes the tables for pictures of w by h samples.
func (r *rain) fit(w, h int) {
	if r.w == w && r.h == h {
		return
	}
	r.w, r.h = w, h
	r.layers = make([]layer, len(slabs))
	slope, least := marshallPalmer(r.float("rate")), r.float("smallest")
	density := float64(8000 / slope * exp(-float64(slope*least)))
	exposure, wind := r.float("exposure")/1000, r.float("wind")
	for i, s := range slabs {
		l := &r.layers[i]
		scale := float64(focal*float64(w)) / s.depth() // samples per metre
		for j := range l.drops {
			d := least - ln(1-(float64(j)+0.5)/256)/slope
			v := fall(d)
			width := float64(d / 1000 * scale)
			length := max(float64(v*exposure*scale), width)
			l.drops[j] = streak{
				length: round(float64(length * 256)), width: max(1, round(float64(width*256))),
				slant: round(float64(wind / v * 256)),
				// A disc covers pi/4 of its square.
				alpha: min(one, round(float64(float64(math.Pi/4)*(d/1000)/float64(v*exposure)*one))),
			}
			l.ys = max(l.ys, l.drops[j].length)
			l.xs = max(l.xs, abs(l.drops[j].slant)*l.drops[j].length>>8)
		}
		// Those that begin outside and end inside count, too.
		wide := float64(float64(w) + float64(2*l.xs)/256)
		high := float64(float64(h) + float64(l.ys)/256)
		share := wide / float64(w) * (high / float64(h))
		l.count = poissonTable(float64(density * s.volume(float64(h)/float64(w)) * share))
	}
}

func abs(x int64) int64 { return max(x, -x) }

func (r *rain) Apply(p motion.Plane, frame int, _ time.Duration) {
	if p.W <= 0 || p.H <= 0 {
		return
	}
	r.fit(p.W, p.H)
	for i := range r.layers {
		l := &r.layers[i]
		k := key(r.base, uint64(frame), uint64(i))
		for j := range l.count[draw(k, 0)&1023] {
			h := draw(k, uint64(j)+1)
			s := &l.drops[h&255]
			x := uniform(h>>8, int64(p.W)*256+2*l.xs) - l.xs
			y := uniform(h>>28, int64(p.H)*256+l.ys) - l.ys
			s.draw(p, x, y, r.light)
		}
	}
}

// draw blends a streak that begins at x, y, in 1/256 sample.
func (s *streak) draw(p motion.Plane, x, y, light int64) {
	t := curve()
	first, last := max(y>>8, 0), min((y+s.length-1)>>8, int64(p.H)-1)
	for j := first; j <= last; j++ {
		in := min(y+s.length, (j+1)<<8) - max(y, j<<8) // the part of the row within the streak
		alpha := s.alpha * in >> 8
		left := x + s.slant*((j<<8)+128-y)>>8 - s.width/2
		right := left + s.width
		line := row(p, int(j))
		for i := max(left>>8, 0); i <= min((right-1)>>8, int64(p.W)-1); i++ {
			cover := min(right, (i+1)<<8) - max(left, i<<8)
			line[i] = t.blend(line[i], light, alpha*cover>>8)
		}
	}
}

// blend returns luma v with a share of its light, in 1/65536, replaced. It never darkens: what is seen through water
// and ice before a brighter picture is bright.
func (t *transfer) blend(v uint8, light, share int64) uint8 {
	lin := int64(t.lin[v])
	if light <= lin {
		return v
	}
	return t.code(lin + ((light-lin)*share+one/2)>>16)
}
