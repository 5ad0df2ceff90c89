// SPDX-License-Identifier: Apache-2.0

package motion

import "time"

// The rules. Times are of the film, so that they hold at any frame rate; levels are steps of luma.
const (
	keepEvery  = 100 * time.Millisecond // between the pictures whose difference is change
	stepEvery  = 60 * time.Millisecond  // between the background's steps of one level
	lightHurry = 300 * time.Millisecond // replaces Absorb while the light changes
	freshFor   = time.Minute            // a background this young is not remembered
	lively     = time.Second            // a region that did not change for so long is no motion: a ghost, or something put down

	noiseUnit  = 64            // noise is kept in 1/64 level
	startNoise = 2 * noiseUnit // before anything is known
	floor      = 10            // levels by which a sample differs at least
	noiseGain  = 3             // and so many times the block's mean noise
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
	noise  uint16 // mean |d| while nothing is there, in 1/64 level
	busy   uint16 // how often it began to differ of late: leaves, water, a screen
	level  uint8
	differ uint8         // samples that no gain explains
	held   bool          // the background waits
	since  time.Duration // PTS of the first frame of the present difference
	still  time.Duration // PTS of the last change from picture to picture
	fresh  time.Duration // until this PTS the background is too young to be worth remembering
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

// judge gives each block its level, and lets the background follow the light.
func (d *Detector) judge(p Plane, pts time.Duration, step, learning bool) {
	active := 0
	for i := range d.blocks {
		b, s := &d.blocks[i], &d.out[i]
		area := d.grid.area(i)
		if int(s.change) > area*(2+int(b.noise)/noiseUnit) {
			b.still = pts
		}
		was := b.level
		b.level, b.differ = levelNone, 0
		differs := d.zones.weight[i] > 0 && int(s.over)*4 >= area
		if differs {
			d.look(p, i)
		}
		switch {
		case b.level == levelNone:
			b.since = pts
		case b.level == levelStrong:
			active++
			if was == levelNone && !d.light.on {
				b.busy = min(b.busy+busyStep, busyMax)
			}
		}
		// While something moves, what looks like its shadow may well be its plain coat.
		b.held = b.level == levelStrong || differs && d.moving
		if step || learning {
			b.learn(s.sad()*noiseUnit/area, differs, learning)
		}
	}
	// No gain explained most of the change: a lamp somewhere else. What is in the room now has to move to be seen.
	unknown := d.light.flash && float64(active) > d.cfg.LightShare/2*float64(len(d.blocks))
	if !learning && !d.light.on {
		return
	}
	for i := range d.blocks {
		b := &d.blocks[i]
		switch {
		case unknown:
			b.level, b.differ, b.held = levelNone, 0, false
			d.copyBlock(d.bg, p, i)
		case !b.held, learning:
			d.copyBlock(d.bg, p, i)
		case d.light.flash:
			d.scale(i)
		}
	}
}

// learn moves the noise towards x, what the block shows while it is quiet. While something is there it only grows, and
// slowly: or else a night's noise, once over the limit, would be motion until the morning.
func (b *block) learn(x int, differs, learning bool) {
	d := x - int(b.noise)
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
	b.noise += uint16(d)
}

// look decides whether block i is the background under another light, the former background, or something else.
func (d *Detector) look(p Plane, i int) {
	b := &d.blocks[i]
	quarter := (d.grid.area(i) + 3) / 4
	low, high := darkest, brightest
	if d.light.on {
		low, high = 0, 64*one
	}
	hits, near := d.count(p, d.bg, i, low, high)
	if near < quarter {
		return
	}
	if _, n := d.count(p, d.former, i, one*7/8, one*9/8); n < quarter {
		d.swap(i)
		return
	}
	b.level, b.differ = levelWeak, uint8(near)
	if hits >= quarter {
		b.level = levelStrong
	}
}

// count returns how many samples of block i differ from the background times a gain by more than the strong limit, and
// the weak. A sample of the background may come from a neighbour: cameras tremble. The gain is that of the block's mean, but within low and high times the gain of the picture.
func (d *Detector) count(p, bg Plane, i, low, high int) (hits, near int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	behind := 0
	for y := y0; y < y1; y++ {
		for _, v := range bg.row(y, x0, x1) {
			behind += int(v)
		}
	}
	gain := int(d.out[i].luma) * one / max(1, behind)
	gain = min(max(gain, low*d.light.gain/one), high*d.light.gain/one)
	strong := d.strong(i)
	weak := strong * 2 / 3
	for y := y0; y < y1; y++ {
		row := p.row(y, 0, d.grid.w)
		above, here, below := bg.row(max(y-1, 0), 0, bg.W), bg.row(y, 0, bg.W), bg.row(min(y+1, bg.H-1), 0, bg.W)
		for x := x0; x < x1; x++ {
			left, right := here[max(x-1, 0)], here[min(x+1, bg.W-1)]
			least := int(min(here[x], left, right, above[x], below[x])) * gain / one
			most := int(max(here[x], left, right, above[x], below[x])) * gain / one
			e := max(int(row[x])-most, least-int(row[x]))
			if e > weak {
				near++
			}
			if e > strong {
				hits++
			}
		}
	}
	return hits, near
}

// scale puts a change of light into the background of block i, which something hides.
func (d *Detector) scale(i int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	for y := y0; y < y1; y++ {
		row := d.bg.row(y, x0, x1)
		for x, v := range row {
			row[x] = uint8(min(int(v)*d.light.gain/one, 255))
		}
	}
}

// swap takes the former background of block i for the present one: what was absorbed has gone.
func (d *Detector) swap(i int) {
	d.blocks[i].fresh = 0
	x0, y0, x1, y1 := d.grid.bounds(i)
	for y := y0; y < y1; y++ {
		former := d.former.row(y, x0, x1)
		for x, v := range d.bg.row(y, x0, x1) {
			d.bg.row(y, x0, x1)[x], former[x] = former[x], v
		}
	}
}

// absorb makes the picture in block i its background, and remembers the old one: unless that was young, such as the
// same visitor a little to the left.
func (d *Detector) absorb(p Plane, i int, pts time.Duration) {
	b := &d.blocks[i]
	if pts >= b.fresh {
		d.copyBlock(d.former, d.bg, i)
	}
	b.fresh = pts + freshFor
	d.copyBlock(d.bg, p, i)
	b.level, b.held, b.differ = levelNone, false, 0
}

func (d *Detector) copyBlock(to, from Plane, i int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	for y := y0; y < y1; y++ {
		copy(to.row(y, x0, x1), from.row(y, x0, x1))
	}
}
