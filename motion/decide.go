// SPDX-License-Identifier: Apache-2.0

package motion

import "time"

// The rules. Times are of the film, so that they hold at any frame rate; levels are steps of luma.
const (
	keepEvery  = 100 * time.Millisecond // between the pictures whose difference is change
	stepEvery  = 60 * time.Millisecond  // between the background's steps of one level
	lightHurry = 300 * time.Millisecond // replaces Absorb while the light changes
	freshFor   = time.Minute            // a background this young is not remembered
	restless   = 250 * time.Millisecond // a block that changed so lately changes all the time
	lively     = 700 * time.Millisecond // a region that did not change for so long is no motion: something put down

	noiseUnit   = 64            // noise is kept in 1/64 level
	startNoise  = 2 * noiseUnit // before anything is known
	coarseNoise = 3 * noiseUnit // noise from which samples are too uncertain to be looked at one by one
	coarseFloor = 3             // replaces floor for the means of cells
	floor       = 8             // levels by which a sample differs at least
	noiseGain   = 3             // and so many times the block's mean noise
	lightStep   = 6             // levels by which a block's mean changes with the light
	busyStep    = 16            // added to busy when a block begins to differ
	busyMax     = 128
	busyUnit    = 32 // busy that doubles the limit
	habitMax    = 255
	habitUnit   = 256              // habit that would double it
	habitEvery  = 30 * time.Second // between the steps by which a habit is forgotten

	// Gains of shadow and sun, over the gain of the picture. A lamp may give twice the luma, which is five times the
	// light.
	darkest, brightest = one * 55 / 100, one * 2
)

// Levels of a block.
const (
	levelNone   = iota
	levelWeak   // differs by two thirds of the limit: enough to keep a motion alive
	levelStrong // differs
)

// block is what the detector remembers of a block.
type block struct {
	noise  uint16 // mean |d| while nothing is there, in 1/64 level
	sway   uint16 // mean of |the mean of d|, likewise: less than noise, where that is the sensor's
	busy   uint16 // how often it began to differ of late: leaves, water, a screen
	habit  uint16 // how often it did for hours, where busy forgets within seconds
	change uint16 // mean of the last |picture - earlier picture|, in 1/64 level
	level  uint8
	differ uint8         // samples that no gain explains
	held   bool          // the background waits
	seen   bool          // prev has the block
	vague  bool          // the background is a guess: the light changed while something hid it
	since  time.Duration // PTS of the last frame without the present difference
	still  time.Duration // PTS of the last change from picture to picture
	fresh  time.Duration // until this PTS the background is too young to be worth remembering
}

// pace returns which rows of the background step in this frame, see diff.
func (d *Detector) pace(pts time.Duration) (rows uint8) {
	for i := range d.stepped {
		if pts-d.stepped[i] >= stepEvery {
			d.stepped[i] = pts
			rows |= 1 << i
		}
	}
	return rows
}

// enable sets the limits for the pass and says which blocks of the background may step.
func (d *Detector) enable(rows uint8, pts time.Duration) {
	forget := pts-d.forgot >= habitEvery
	if forget {
		d.forgot = pts
	}
	for i := range d.blocks {
		b := &d.blocks[i]
		d.follow[i] = 0
		if !b.held {
			d.follow[i] = 1
		}
		d.limit[i] = uint8(min(d.strong(i)*2/3, 255))
		if rows&1 != 0 && b.busy > 0 {
			b.busy--
		}
		if forget && b.habit > 0 {
			b.habit--
		}
	}
}

// strong is the limit of block i, in levels.
func (d *Detector) strong(i int) int {
	b := &d.blocks[i]
	limit := floor + noiseGain*int(b.noise)/noiseUnit
	limit += limit*int(b.busy)/busyUnit + limit*int(b.habit)/habitUnit
	return limit * int(d.zones.weight[i]) / fixed
}

// judge gives each block its level, and lets the background follow the light.
func (d *Detector) judge(p Plane, pts time.Duration, keep, step, learning bool) {
	active := 0
	for i := range d.blocks {
		b, s := &d.blocks[i], &d.out[i]
		area := d.grid.area(i)
		was := b.level
		b.level, b.differ = levelNone, 0
		differs := d.zones.weight[i] > 0 && (int(s.over)*4 >= area || d.tilted(b, s.shift(), area)) &&
			!d.mount.beyond(d.grid, i)
		if differs {
			d.changed(p, i, keep, pts)
			d.look(p, i)
		} else {
			b.seen, b.vague = false, false
		}
		switch {
		case b.level == levelNone:
			b.since = pts
		case b.level == levelStrong:
			active++
			if was == levelNone && !d.light.on {
				b.busy, b.habit = min(b.busy+busyStep, busyMax), min(b.habit+1, habitMax)
			}
		}
		// While something moves, what looks like its shadow may well be its plain coat.
		b.held = b.level == levelStrong || differs && d.moving
		switch {
		case learning && d.light.flash:
			b.noise, b.sway = startNoise, startNoise // what changes now is no noise
		case step || learning:
			x, y := mean(s.sad()*noiseUnit, area), mean(max(s.shift(), -s.shift())*noiseUnit, area)
			// After a change of the light there may be another noise.
			fast := learning || d.light.on && !d.light.flash && !b.held && x <= 2*d.light.din
			b.learn(x, y, differs, fast, d.light.din)
		}
	}
	// No gain explained most of the change: a lamp somewhere else. What is in the room now has to move to be seen.
	d.active = active
	share := float64(active) / float64(len(d.blocks))
	unknown := d.light.on && (share > d.cfg.LightShare || d.light.flash && share > d.cfg.LightShare/2)
	if !learning && !d.light.on {
		return
	}
	for i := range d.blocks {
		b := &d.blocks[i]
		switch {
		case unknown, learning:
			b.level, b.differ, b.held = levelNone, 0, false
			d.copyBlock(d.bg, p, i)
		case !b.held:
			d.copyBlock(d.bg, p, i)
		case d.light.flash:
			d.scaleBlock(i)
			b.vague = b.vague || d.light.gain > one*5/4 || d.light.gain < one*4/5
		}
	}
	d.base.fill(d.grid, d.bg)
}

// changed compares block i with the picture some 0.1 s ago. Only blocks that differ from the background are followed.
func (d *Detector) changed(p Plane, i int, keep bool, pts time.Duration) {
	b := &d.blocks[i]
	if !b.seen {
		b.seen, b.still, b.change = true, pts, 0
		d.copyBlock(d.prev, p, i)
		return
	}
	change := d.sad(p, d.prev, i)
	b.change = uint16(change * noiseUnit / d.grid.area(i))
	if change*noiseUnit > d.grid.area(i)*(2*noiseUnit+int(b.noise)) {
		b.still = pts
	}
	if keep {
		d.copyBlock(d.prev, p, i)
	}
}

// tilted tells whether a block with much noise became brighter or darker by more than that explains.
func (d *Detector) tilted(b *block, shift, area int) bool {
	return b.noise >= coarseNoise && max(shift, -shift)*noiseUnit > area*(coarseFloor*noiseUnit+3*int(b.sway))
}

// sad returns the sum of the absolute differences of two planes in block i.
func (d *Detector) sad(p, q Plane, i int) (sum int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	if x1-x0 == side && y1-y0 == side {
		return blockSAD(p.Pix[y0*p.Stride+x0:], q.Pix[y0*q.Stride+x0:], p.Stride, q.Stride)
	}
	for y := y0; y < y1; y++ {
		other := q.row(y, x0, x1)
		for x, v := range p.row(y, x0, x1) {
			sum += int(max(v, other[x]) - min(v, other[x]))
		}
	}
	return sum
}

// learn moves the noise towards x, what the block shows while it is quiet, and the sway towards y. While something is
// there they only grow, and slowly: or else a night's noise, once over the limit, would be motion until the morning. But
// what is as noisy as the picture as a whole is noisy, and not something.
func (b *block) learn(x, y int, differs, learning bool, din int) {
	if differs && x > int(b.noise) && x <= din*3/2 {
		differs = false
	}
	b.noise = approach(b.noise, x, differs, learning)
	b.sway = approach(b.sway, y, differs, learning)
}

func approach(noise uint16, x int, differs, learning bool) uint16 {
	d := x - int(noise)
	switch {
	case learning && d > 0:
		d = (d + 3) / 4
	case differs:
		d = min(max(d, 0), 1)
	case d > 0:
		d = (d + 31) / 32
	default:
		d /= 64
	}
	return noise + uint16(d)
}
