// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

var exposureKind = kind{
	name: "exposure",
	doc: "the camera changes its exposure: light times 2^EV, clipped at white as by a full sensor, at once or along a " +
		"ramp as automatic exposure does; what the film itself clipped stays clipped",
	params: []param{
		{"at", 3, 0, 3600, "when it begins, in seconds"},
		{"back", 0, 0, 3600, "when it goes back, in seconds, 0 for never"},
		{"ev", 1.5, -8, 8, "the step, in EV"},
		{"ramp", 0, 0, 60, "how long the step takes, in seconds; a frame at 25 fps is 0.04"},
	},
	build: func(v values) (Effect, error) {
		e := &exposure{values: v, at: seconds(v.get("at")), back: seconds(v.get("back")), ramp: seconds(v.get("ramp"))}
		for i := range e.gain {
			ev := float64(v.float("ev")*float64(i)) / float64(len(e.gain)-1)
			e.gain[i] = round(float64(power(2, ev) * one))
		}
		return e, nil
	},
}

type exposure struct {
	values
	at, back, ramp time.Duration
	gain           [257]int64 // along the ramp
}

func (e *exposure) Apply(p motion.Plane, _ int, pts time.Duration) {
	on := span(pts, e.at, e.back, e.ramp)
	if on == 0 {
		return
	}
	t, gain := curve(), e.gain[(on+128)>>8]
	var lut [256]uint8
	for v := range lut {
		lut[v] = t.lit(uint8(v), gain)
	}
	for y := range p.H {
		line := row(p, y)
		for x, v := range line {
			line[x] = lut[v]
		}
	}
}

var flickerKind = kind{
	name: "flicker",
	doc: "lamps on the mains: the light goes as 1 + depth*cos(2*pi*2f*t), and a row that is exposed for T sees it times " +
		"sin(2*pi*f*T)/(2*pi*f*T); a rolling shutter reads the rows one after another, so bands stand or wander as the " +
		"frame rate has it; no daylight that does not flicker",
	params: []param{
		{"mains", 50, 40, 70, "f, the frequency of the mains, in Hz"},
		{"depth", 0.3, 0, 1, "the modulation of the light, as a share: 0.1 for incandescent, up to 1 for bad LEDs"},
		{"exposure", 4, 0.01, 100, "T, the time of exposure, in ms"},
		{"readout", 16, 0, 100, "from the first to the last row, in ms; 0 for a global shutter"},
		{"fps", 0, 0, 1000, "frames per second; 0 takes the time of a frame from its pts"},
	},
	build: func(v values) (Effect, error) {
		e := &flicker{values: v, freq: 2 * v.get("mains"), readout: v.get("readout"), fps: v.get("fps")}
		e.depth = round(float64(v.float("depth")*flickerShare(v.float("mains"), v.float("exposure")/1000)) * one)
		return e, nil
	},
}

// flickerShare is what remains of a modulation at twice the mains frequency when it is averaged over an exposure in
// seconds: sin(x)/x of x = 2*pi*f*T.
func flickerShare(mains, exposure float64) float64 {
	x := float64(2 * math.Pi * float64(mains*exposure))
	if x < 1e-6 {
		return 1
	}
	turn := float64(mains * exposure)
	turn -= math.Floor(turn)
	s := float64(turn * 4) // quarter turns
	switch {
	case s < 2:
		s = sine(float64(s * (math.Pi / 2)))
	default:
		s = -sine(float64((s - 2) * (math.Pi / 2)))
	}
	return s / x
}

type flicker struct {
	values
	freq, readout, fps int64 // millionths of Hz, of ms, of frames per second
	depth              int64 // after averaging over the exposure; negative is a wave turned over
}

func (e *flicker) Apply(p motion.Plane, frame int, pts time.Duration) {
	t := curve()
	if e.fps > 0 {
		pts = time.Duration(int64(frame) * 1_000_000_000 / e.fps * 1_000_000)
		pts += time.Duration(int64(frame) * 1_000_000_000 % e.fps * 1_000_000 / e.fps)
	}
	for y := range p.H {
		late := time.Duration(e.readout * int64(y) / int64(p.H)) // millionths of ms are ns
		gain := one + e.depth*sin(turns(e.freq, pts+late)+one/4)>>16
		line := row(p, y)
		for x, v := range line {
			line[x] = t.lit(v, gain)
		}
	}
}

var shakeKind = kind{
	name: "shake",
	doc: "the camera trembles: a shift of the picture with bilinear interpolation, in the wind (four oscillations of " +
		"random phase from freq/4 to freq) or after a bump (one that dies away); no rotation, no rolling shutter wobble, " +
		"the border repeats",
	params: []param{
		{"amp", 2, 0, 40, "the greatest shift sideways, in samples of a picture 640 wide; up and down it is 0.6 of it"},
		{"freq", 6, 0.1, 50, "the frequency, in Hz"},
		{"bump", 0, 0, 3600, "when something bumps into the camera, in seconds; 0 for wind all the time"},
		{"damp", 0.5, 0.01, 60, "how long until a bump is down to 1/e, in seconds"},
		seedParam,
	},
	build: func(v values) (Effect, error) {
		s := &shake{
			values: v, amp: v.q16("amp"), freq: v.get("freq"), bump: seconds(v.get("bump")),
			damp: seconds(v.get("damp")), base: v.seed(),
		}
		for i := range s.decay {
			s.decay[i] = round(float64(exp(-float64(i)/64) * one))
		}
		return s, nil
	},
}

type shake struct {
	values
	amp, freq  int64
	bump, damp time.Duration
	base       uint64
	decay      [640]int64 // e to the -i/64
	src        []byte
}

// shift returns where the camera looks at, in 1/65536 sample of a picture 640 wide.
func (s *shake) shift(pts time.Duration) (dx, dy int64) {
	if s.bump > 0 {
		since := pts - s.bump
		if since < 0 || since >= 10*s.damp {
			return 0, 0
		}
		a := s.amp * s.decay[int64(since)*64/int64(s.damp)] >> 16
		phase := turns(s.freq, since)
		return a * sin(phase) >> 16, a * sin(phase*2) >> 16 * 6 / 10
	}
	for i := range int64(4) {
		h := draw(s.base, uint64(i))
		// Frequencies that are no multiples of each other: quarters of freq, each up to a fifth lower.
		f := s.freq * (i + 1) / 4 * (one - uniform(h, one/5)) >> 16
		dx += s.amp / 4 * sin(turns(f, pts)+int64(h>>20&0xffff)) >> 16
		dy += s.amp / 4 * sin(turns(f, pts)+int64(h>>36&0xffff)) >> 16
	}
	return dx, dy * 6 / 10
}

func (s *shake) Apply(p motion.Plane, _ int, pts time.Duration) {
	if p.W <= 0 || p.H <= 0 {
		return
	}
	dx, dy := s.shift(pts)
	dx, dy = (dx*int64(p.W)/640)>>8, (dy*int64(p.W)/640)>>8 // 1/256 sample
	s.src = resize(s.src, p.W*p.H)
	for y := range p.H {
		copy(s.src[y*p.W:], row(p, y))
	}
	ix, fx, iy, fy := int(dx>>8), int32(dx&255), int(dy>>8), int32(dy&255)
	for y := range p.H {
		y0, y1 := min(max(y+iy, 0), p.H-1), min(max(y+iy+1, 0), p.H-1)
		a, b := s.src[y0*p.W:(y0+1)*p.W], s.src[y1*p.W:(y1+1)*p.W]
		column := func(x int) int32 {
			x = min(max(x, 0), p.W-1)
			return int32(a[x])*(256-fy) + int32(b[x])*fy
		}
		line := row(p, y)
		left := column(ix)
		for x := range line {
			right := column(x + ix + 1)
			line[x] = uint8((left*(256-fx) + right*fx + 1<<15) >> 16)
			left = right
		}
	}
}
