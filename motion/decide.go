// SPDX-License-Identifier: Apache-2.0

package motion

import "time"

// The rules. Times are of the film, so that they hold at any frame rate; levels are steps of luma.
const (
	keepEvery  = 100 * time.Millisecond // between the pictures whose difference is change
	stepEvery  = 60 * time.Millisecond  // between the background's steps of one level
	lightHurry = 300 * time.Millisecond // replaces Absorb while the light changes
	lively     = time.Second            // a region that did not change for so long is no motion: a ghost, or something put down

	noiseUnit  = 16            // noise is kept in 1/16 level
	startNoise = 2 * noiseUnit // before anything is known
	floor      = 12            // levels by which a sample differs at least
	noiseGain  = 4             // and so many times the block's mean noise
	lightStep  = 6             // levels by which a block's mean changes with the light
	busyStep   = 16            // added to busy when a block begins to differ
	busyMax    = 128
	busyUnit   = 32 // busy that doubles the limit

	darkest, brightest = one * 55 / 100, one * 3 / 2 // gains of shadow and sun, over the gain of the picture
)

// Levels of a block.
const (
	levelNone   = iota
	levelWeak   // differs by two thirds of the limit: enough to keep a motion alive
	levelStrong // differs
)

// block is what the detector remembers of a block.
type block struct {
	noise  uint16 // mean |d| while nothing is there, in 1/16 level
	busy   uint16 // how often it began to differ of late: leaves, water, a screen
	level  uint8
	differ uint8         // samples that no gain explains
	held   bool          // the background waits
	since  time.Duration // PTS of the first frame of the present difference
	still  time.Duration // PTS of the last change from picture to picture
}

// enable sets the limits for the pass and says which blocks of the background may step.
func (d *Detector) enable(step bool, pts time.Duration) {
	for i := range d.blocks {
		b := &d.blocks[i]
		d.update[i] = 0
		if step && !b.held {
			d.update[i] = 1
		}
		limit := d.strong(i)
		d.limit[i] = uint8(min(limit*2/3, 255))
		if step && b.busy > 0 {
			b.busy--
		}
	}
	if step {
		d.stepped = pts
	}
}

// strong is the limit of block i, in levels.
func (d *Detector) strong(i int) int {
	b := &d.blocks[i]
	limit := floor + noiseGain*int(b.noise)/noiseUnit
	limit += limit * int(b.busy) / busyUnit
	return limit * int(d.zones.weight[i]) / fixed
}

// judge gives each block its level.
func (d *Detector) judge(p Plane, pts time.Duration, learning bool) {
	for i := range d.blocks {
		b, s := &d.blocks[i], &d.out[i]
		area := d.grid.area(i)
		if int(s.change) > area*(2+int(b.noise)/noiseUnit) {
			b.still = pts
		}
		was := b.level
		b.level, b.differ = levelNone, 0
		if d.zones.weight[i] > 0 && int(s.over)*4 >= area && !d.light.first {
			d.look(p, i)
		}
		switch {
		case b.level == levelNone:
			b.since = pts
		case was == levelNone && b.level == levelStrong && !d.light.on:
			b.busy = min(b.busy+busyStep, busyMax)
		}
		b.held = b.level == levelStrong || b.level == levelWeak && d.moving
		if d.update[i] != 0 || learning {
			b.learn(s.sad()*noiseUnit/area, learning)
		}
		if d.light.flash || d.light.on && b.level == levelNone || learning && b.level != levelNone {
			d.copyBlock(d.bg, p, i)
		}
	}
}

// learn moves the noise towards x, what the block shows while it is quiet.
func (b *block) learn(x int, learning bool) {
	d := x - int(b.noise)
	switch {
	case d > 0 && learning:
		d = (d + 3) / 4
	case d > 0:
		d = (min(d, 4*noiseUnit) + 31) / 32
	default:
		d /= 64
	}
	b.noise += uint16(d)
}

// look decides whether block i is the background under another light, the former background, or something else.
func (d *Detector) look(p Plane, i int) {
	b, s := &d.blocks[i], &d.out[i]
	area, strong := d.grid.area(i), d.strong(i)
	weak := strong * 2 / 3
	behind := max(1, int(s.luma)-s.shift())
	gain := int(s.luma) * one / behind
	if !d.light.on {
		gain = min(max(gain, darkest*d.light.gain/one), brightest*d.light.gain/one)
	}
	hits, near := d.count(p, d.bg, i, gain, strong, weak)
	if near*4 < area {
		return
	}
	if _, n := d.count(p, d.former, i, one, strong, weak); n*4 < area {
		d.swap(i)
		return
	}
	b.level, b.differ = levelWeak, uint8(near)
	if hits*4 >= area {
		b.level = levelStrong
	}
}

// count returns how many samples of block i differ from the background times gain by more than strong, and than weak.
func (d *Detector) count(p, bg Plane, i, gain, strong, weak int) (hits, near int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	for y := y0; y < y1; y++ {
		behind := bg.row(y, x0, x1)
		for x, v := range p.row(y, x0, x1) {
			e := int(v) - int(behind[x])*gain/one
			if e < 0 {
				e = -e
			}
			if e > weak {
				near++
				if e > strong {
					hits++
				}
			}
		}
	}
	return hits, near
}

// swap takes the former background of block i for the present one: what was absorbed has gone.
func (d *Detector) swap(i int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	for y := y0; y < y1; y++ {
		former := d.former.row(y, x0, x1)
		for x, v := range d.bg.row(y, x0, x1) {
			d.bg.row(y, x0, x1)[x], former[x] = former[x], v
		}
	}
}

// absorb makes the picture in block i its background, and remembers the old one.
func (d *Detector) absorb(p Plane, i int) {
	d.copyBlock(d.former, d.bg, i)
	d.copyBlock(d.bg, p, i)
	d.blocks[i].level, d.blocks[i].held, d.blocks[i].differ = levelNone, false, 0
}

func (d *Detector) copyBlock(to, from Plane, i int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	for y := y0; y < y1; y++ {
		copy(to.row(y, x0, x1), from.row(y, x0, x1))
	}
}
