// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math"
	"sort"
)

// Hint is what the camera says of the next frame, where it says anything.
type Hint struct {
	// Exposure is the time of exposure times all gains, in any unit that stays the same. 0 is unknown.
	Exposure float64
	// Switching is set, for each frame, while the infrared filter or the lamps are being switched: what changes now is the light.
	Switching bool
}

// hintStep is by how much the exposure must change to count.
const hintStep = 1.02

// Hint says something of the frame that Process gets next. A change of the exposure that is known beforehand is put
// into the background before the frame is compared with it: luma goes with the power 1/2.2 of the light.
func (d *Detector) Hint(h Hint) {
	d.switching = h.Switching
	if h.Exposure <= 0 || math.IsNaN(h.Exposure) || math.IsInf(h.Exposure, 0) {
		return
	}
	if d.exposure == 0 {
		d.exposure = h.Exposure
	}
	ratio := h.Exposure / d.exposure
	if ratio < hintStep && ratio > 1/hintStep {
		return
	}
	d.exposure = h.Exposure
	if !d.started {
		return
	}
	gain := lumaGain(min(max(ratio, 1.0/256), 256))
	for y := range d.bg.H {
		for _, plane := range [...]Plane{d.bg, d.former, d.prev} {
			row := plane.row(y, 0, plane.W)
			for x, v := range row {
				row[x] = uint8(min((int(v)*gain+one/2)/one, 255))
			}
		}
	}
	d.base.fill(d.grid, d.bg)
	d.hinted = true
}

// lumaGain returns the gain of luma, in 1/256, for a ratio of light: its power 5/11. It only multiplies and compares,
// because math.Pow differs between processors.
func lumaGain(ratio float64) int {
	light := ratio * ratio * ratio * ratio * ratio
	return sort.Search(13*one, func(gain int) bool {
		x := (float64(gain) + 0.5) / one
		power := x
		for range 10 {
			power *= x
		}
		return power > light
	})
}
