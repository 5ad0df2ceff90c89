// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

var nightKind = kind{
	name: "night",
	doc: "little light and much gain, after the linear camera model of EMVA 1288: photons as a Poisson process, read " +
		"noise, DSNU and PRNU, row noise, gain, a converter of 12 bits, the sRGB transfer; no dark current by " +
		"temperature, no hot pixels, no demosaicing, and the film's own noise stays in it",
	params: []param{
		{"level", 0.15, 0.001, 1, "how bright the picture becomes, in multiples of the film's linear light"},
		{"gain", 16, 1, 256, "the gain of the sensor; it gets level/gain of the film's light"},
		{"fullwell", 6000, 100, 100000, "electrons of a white sample at gain 1"},
		{"read", 3, 0, 50, "read noise, in electrons rms"},
		{"prnu", 1, 0, 10, "how the samples differ in response, in percent rms"},
		{"dsnu", 1, 0, 50, "how the samples differ in the dark, in electrons rms"},
		{"row", 0.5, 0, 20, "noise that a whole row shares, in electrons rms"},
		{"denoise", 0, 0, 1, "how much of the noise a temporal filter turns into slow blotches, as a share"},
		seedParam,
	},
	build: func(v values) (Effect, error) {
		return &night{values: v, sensor: newSensor(sensorModel{
			level: v.float("level"), gain: v.float("gain"), fullwell: v.float("fullwell"), read: v.float("read"),
			prnu: v.float("prnu") / 100, dsnu: v.float("dsnu"), row: v.float("row"), denoise: v.float("denoise"),
		}, v.seed())}, nil
	},
}

type night struct {
	values
	sensor *sensor
}

func (n *night) Apply(p motion.Plane, frame int, _ time.Duration) { n.sensor.expose(p, frame) }

// sensorModel are the numbers of EMVA 1288 that the sensor knows, in electrons where not a share.
type sensorModel struct {
	level, gain, fullwell, read, prnu, dsnu, row, denoise float64
}

// sensor takes pictures of a film. A sample of linear light L becomes, in electrons,
//
//	mean = L * level/gain * fullwell
//	e = Poisson(mean) + mean*PRNU + DSNU + row + read
//
// and e*gain/fullwell is the linear light of the result, in 4096 steps and clipped at 0 and 1.
type sensor struct {
	base             uint64
	mean, sigma      [256]int32 // electrons of a luma and their deviation, in 1/256
	few              [256][]int32
	read, row, dsnu  int64 // in 1/256 electron
	prnu             int64 // in 1/65536
	scale            int64 // linear light of 1/256 electron, in 1/2^24
	denoise          int64
	w, h             int
	response, offset []int16 // of each sample, normal, in 1/4096
	blotch           field
}

// fewElectrons is the mean from which the normal distribution stands in for Poisson's.
const fewElectrons = 24

func newSensor(m sensorModel, base uint64) *sensor {
	q8 := func(x float64) int64 { return round(float64(x * 256)) }
	s := &sensor{
		base: base, read: q8(m.read), row: q8(m.row), dsnu: q8(m.dsnu), prnu: round(float64(m.prnu * one)),
		denoise: round(float64(m.denoise * one)),
		scale:   round(float64(m.gain/m.fullwell*one) / 256 * (1 << 24)),
	}
	t := curve()
	for v := range s.mean {
		e := float64(float64(t.lin[v])*m.level) / m.gain * m.fullwell / white
		s.mean[v] = int32(q8(e))
		s.sigma[v] = int32(q8(math.Sqrt(e)))
		if e < fewElectrons {
			s.few[v] = poissonTable(e)
		}
	}
	return s
}

// fit makes the fixed pattern of a picture of w by h samples.
func (s *sensor) fit(w, h int) {
	if s.w == w && s.h == h {
		return
	}
	s.w, s.h = w, h
	s.response, s.offset = resize(s.response, w*h), resize(s.offset, w*h)
	g, k := gaussTable(), key(s.base, 0, 1)
	for i := range s.response {
		r := draw(k, uint64(i))
		s.response[i], s.offset[i] = int16(gauss(g, r)), int16(gauss(g, r>>20))
	}
}

// blotchTime is how many frames a blotch lives.
const blotchTime = 8

// drift makes the slow blotches that a temporal filter leaves of the noise, in 1/4096 of its deviation.
func (s *sensor) drift(w, h, frame int) {
	g := gaussTable()
	s.blotch.resize(w, h, 8)
	from, part := frame/blotchTime, int64(frame%blotchTime)
	a, b := key(s.base, 2, uint64(from)), key(s.base, 2, uint64(from+1))
	for i := range s.blotch.nodes {
		u, v := gauss(g, draw(a, uint64(i))), gauss(g, draw(b, uint64(i)))
		s.blotch.nodes[i] = int32((u*(blotchTime-part) + v*part) / blotchTime)
	}
}

// expose replaces the picture by one that the sensor took of it.
func (s *sensor) expose(p motion.Plane, frame int) {
	if p.W <= 0 || p.H <= 0 {
		return
	}
	t, g := curve(), gaussTable()
	s.fit(p.W, p.H)
	if s.denoise > 0 {
		s.drift(p.W, p.H, frame)
	}
	k := key(s.base, 3, uint64(frame))
	rows := key(s.base, 4, uint64(frame))
	for y := range p.H {
		line := row(p, y)
		at := y * p.W
		response, offset := s.response[at:at+p.W], s.offset[at:at+p.W]
		shared := s.row * gauss(g, draw(rows, uint64(y)))
		var blotch []int32
		if s.denoise > 0 {
			blotch = s.blotch.row(y)
		}
		for x, v := range line {
			r := draw(k, uint64(at+x))
			mean := int64(s.mean[v])
			shot := int64(s.sigma[v]) * gauss(g, r) >> 12
			if few := s.few[v]; few != nil {
				shot = int64(few[r&1023])<<8 - mean
			}
			dev := shot + (s.read*gauss(g, r>>20)+s.dsnu*int64(offset[x])+shared)>>12
			dev += mean * s.prnu >> 16 * int64(response[x]) >> 12
			if blotch != nil {
				// A third of the deviation remains, the figure of a recursive filter that averages some 9 frames.
				slow := (int64(s.sigma[v]) + s.read) * int64(blotch[x]) >> 12 / 3
				dev += (slow - dev) * s.denoise >> 16
			}
			e := ((mean+dev)*s.scale + 1<<23) >> 24
			line[x] = t.code((e + 8) &^ 15)
		}
	}
}
