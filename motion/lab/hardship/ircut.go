// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"errors"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

var ircutKind = kind{
	name: "ircut",
	doc: "the camera moves its infrared filter out of the way and lights its IR lamps, and back: a black and then " +
		"overexposed gap, another luma for each reflectance (dark cloth and foliage become bright), gains that differ by " +
		"region, the vignette of the lamps (cosine-fourth law), the noise of more gain; the remapping is an assumption, " +
		"since luma does not tell a material; no change of focus",
	params: []param{
		{"at", 3, 0, 3600, "when it goes to infrared, in seconds"},
		{"back", 0, 0, 3600, "when it goes back to colour, in seconds, 0 for never"},
		{"gap", 0.16, 0, 2, "how long the change takes, in seconds; four frames at 25 fps are 0.16"},
		{"remap", 1, 0, 1, "how far luma is remapped, as a share"},
		{"regions", 0.35, 0, 0.9, "how much the gain of a region may differ, as a share"},
		{"size", 0.25, 0.02, 2, "how wide a region is, in widths of the picture"},
		{"beam", 0.8, 0.1, 10, "where the light of the lamps is down to a quarter, from the middle, in widths"},
		{"gain", 8, 1, 256, "the gain of the sensor in infrared, see night"},
		seedParam,
	},
	build: func(v values) (Effect, error) {
		e := &ircut{
			values: v, at: seconds(v.get("at")), back: seconds(v.get("back")), gap: seconds(v.get("gap")),
			regions: v.q16("regions"), size: v.q16("size"), beam: v.q16("beam"), base: v.seed(),
			sensor: newSensor(sensorModel{
				level: 1, gain: v.float("gain"), fullwell: 6000, read: 3, prnu: 0.01, dsnu: 1, row: 0.5,
			}, v.seed()),
		}
		if e.back > 0 && e.back < e.at+e.gap {
			return nil, errors.New("back must be later than at+gap")
		}
		t, share := curve(), v.q16("remap")
		for i := range e.linear {
			e.linear[i] = int32(mixed(int64(t.lin[i]), int64(t.lin[infrared(i)]), share))
		}
		return e, nil
	},
}

// infraredPoints are lumas in visible light and what they are in infrared: what is dark is often dyed cloth or
// foliage, which reflect infrared; black stays dark, sky and paper lose a little. Between 90 and 140 the order of
// bright and dark turns over.
var infraredPoints = [][2]int{{0, 12}, {20, 40}, {50, 130}, {90, 165}, {140, 110}, {190, 170}, {255, 235}}

// infrared returns the luma in infrared of luma v.
func infrared(v int) int {
	for i := 1; ; i++ {
		a, b := infraredPoints[i-1], infraredPoints[i]
		if v <= b[0] {
			t := smooth(int64(v-a[0]) * one / int64(b[0]-a[0]))
			return int(mixed(int64(a[1]), int64(b[1]), t))
		}
	}
}

type ircut struct {
	values
	at, back, gap       time.Duration
	regions, size, beam int64
	linear              [256]int32 // linear light in infrared of a luma
	base                uint64
	sensor              *sensor
	field               field
	light               []int32
}

// phase tells which light the camera sees at pts and how it exposes, in 1/65536.
func (e *ircut) phase(pts time.Duration) (ir bool, gain int64) {
	since := pts - e.at
	ir = since >= 0
	if e.back > 0 && pts >= e.back {
		ir, since = false, pts-e.back
	}
	switch {
	case since < 0 || since >= e.gap:
		return ir, one
	case since < e.gap*2/5:
		return ir, one / 64
	}
	left := int64(e.gap-since) * one / int64(e.gap-e.gap*2/5)
	return ir, one + 7*left
}

func (e *ircut) Apply(p motion.Plane, frame int, pts time.Duration) {
	ir, gain := e.phase(pts)
	switch {
	case ir:
		e.infrared(p, gain)
		e.sensor.expose(p, frame)
	case gain != one:
		t := curve()
		for y := range p.H {
			line := row(p, y)
			for x, v := range line {
				line[x] = t.lit(v, gain)
			}
		}
	}
}

// infrared replaces the picture by one under the IR lamps.
func (e *ircut) infrared(p motion.Plane, gain int64) {
	t := curve()
	w, h := int64(p.W), int64(p.H)
	f := &e.field
	f.resize(p.W, p.H, 8)
	cell := max(1, e.size*w>>16)
	for i := range f.nodes {
		x, y := int64(i%f.cols*f.step), int64(i/f.cols*f.step)
		f.nodes[i] = int32(one + e.regions*lattice(e.base, x*one/cell, y*one/cell, 0)>>16)
	}
	e.light = resize(e.light, p.W)
	lamps := spot{x: w * 128, y: h * 128, rx: e.beam * w >> 8, ry: e.beam * w >> 8}
	for y := range p.H {
		line, regions := row(p, y), f.row(y)
		if !lamps.row(y, e.light) {
			clear(e.light)
		}
		for x, v := range line {
			lin := int64(e.linear[v]) * int64(regions[x]) >> 16 * int64(e.light[x]) >> 16
			line[x] = t.code(lin * gain >> 16)
		}
	}
}
