// SPDX-License-Identifier: Apache-2.0

package motion

import "time"

const (
	minBlocks    = 3  // the smallest region that counts; a flake of snow is smaller
	livelyShare  = 32 // one in so many blocks of a region that moves changes from picture to picture
	calmShare    = 16 // in a region that is still fewer than one in so many do
	vagueShare   = 2  // one in so many does, where the background is a guess
	vagueWaits   = 3  // times Absorb: what differs for so long from a background that is a guess is background
	foreverWaits = 8  // times Absorb: and so is what differs for so long from one that is not, whatever it does
)

// maxBoxes bounds Result.Boxes.
const maxBoxes = 16

// region is a set of blocks that touch by a side or a corner.
type region struct {
	label          int32
	blocks         int
	hits           int // strong blocks
	alive          int // blocks that changed of late
	restless       int // blocks that change all the time
	vague          int // blocks whose background is a guess
	weight         int // samples that differ
	x0, y0, x1, y1 int // in blocks, x1 and y1 exclusive
}

// finder joins blocks that differ to regions. Its memory is allocated once.
type finder struct {
	grid   grid
	labels []int32  // per block: 0, or the region it is in
	queue  []int32  // the blocks of the region that flood found last
	top    []region // the largest regions of the frame that count, the largest first
	area   int      // blocks in all regions that count
	weight int      // samples in them that differ
	still  bool     // there is a region that would count if it moved
}

func newFinder(g grid) finder {
	n := g.blocks()
	return finder{grid: g, labels: make([]int32, n), queue: make([]int32, 0, n), top: make([]region, 0, maxBoxes)}
}

func (f *finder) reset() {
	clear(f.labels)
	f.top, f.area, f.weight, f.still = f.top[:0], 0, 0, false
}

// regions looks for regions of at least so many strong blocks, least. It returns a track that begins a motion, and tells
// whether there is one that goes on: half of least is enough for that, and weak blocks are. A region that is still is no
// motion, and if it is so for long, background.
func (d *Detector) regions(p Plane, least int, pts time.Duration) (start *track, stay bool) {
	d.find.reset()
	d.tracks.begin()
	next := int32(1)
	for i := range d.blocks {
		if d.blocks[i].level != levelStrong || d.find.labels[i] != 0 {
			continue
		}
		r := d.find.flood(d.blocks, i, next, pts)
		next++
		gone, ghost := d.settle(p, r, pts)
		if gone {
			continue
		}
		alive := r.alive*livelyShare >= r.blocks && !ghost
		if 2*r.vague > r.blocks {
			// A screen that went on shining when the lamps went out flickers in a corner; somebody moves altogether.
			alive = r.restless*vagueShare >= r.blocks
		}
		t := d.tracks.match(r, alive && r.hits >= least, pts)
		switch {
		case !alive:
			d.find.still = d.find.still || r.hits >= least
			continue
		case t == nil:
			continue
		case 2*r.restless > r.blocks && pts-t.haunt.since >= foreverWaits*d.cfg.Absorb:
			// All of it changes all the time, and it goes nowhere: a screen, a fountain. That is its noise from now on.
			for _, i := range d.find.queue {
				d.blocks[i].noise = max(d.blocks[i].noise, d.blocks[i].change)
				d.blocks[i].sway = max(d.blocks[i].sway, d.blocks[i].change)
				d.absorb(p, int(i), pts)
			}
			continue
		case t.known && (r.hits >= least || 2*r.blocks >= least):
			stay = true
		case r.hits < least:
			continue
		}
		d.find.add(r)
	}
	return d.tracks.end(d.cfg, pts), stay
}

// settle absorbs what has been still for long enough: a whole region when hardly anything in it changed, or single
// blocks after four times as long, or as soon as nobody can tell any more. It tells whether the region is gone, and
// whether it is a ghost: that is still from now on, but not absorbed before its time, in case it is somebody after all.
func (d *Detector) settle(p Plane, r region, pts time.Duration) (gone, ghost bool) {
	wait := d.cfg.Absorb
	if d.light.on {
		wait = min(wait, lightHurry)
	}
	old, calm := 0, 0
	for _, i := range d.find.queue {
		b := &d.blocks[i]
		still := pts - max(b.still, b.since)
		if still >= wait {
			old++
		}
		if still >= ghostCalm {
			calm++
		}
	}
	whole := (r.blocks-old)*calmShare < r.blocks
	if !whole && (r.blocks-calm)*calmShare < r.blocks && r.alive > 0 && d.ghost(p) {
		ghost = true
		for _, i := range d.find.queue {
			b := &d.blocks[i]
			b.still = min(b.still, pts-lively) // until something changes in it
		}
	}
	for _, i := range d.find.queue {
		b := &d.blocks[i]
		switch {
		case whole, pts-max(b.still, b.since) >= 4*wait:
			d.absorb(p, int(i), pts)
		case pts-b.since >= foreverWaits*d.cfg.Absorb, b.vague && pts-b.since >= vagueWaits*d.cfg.Absorb:
			b.noise = max(b.noise, b.change) // whatever it does is no news
			d.absorb(p, int(i), pts)
		}
	}
	return whole, ghost
}

// flood labels the region of block i and leaves its blocks in queue.
func (f *finder) flood(blocks []block, i int, label int32, pts time.Duration) region {
	r := region{label: label, x0: f.grid.cols, y0: f.grid.rows}
	f.labels[i] = label
	f.queue = append(f.queue[:0], int32(i))
	for k := 0; k < len(f.queue); k++ {
		b := &blocks[f.queue[k]]
		x, y := int(f.queue[k])%f.grid.cols, int(f.queue[k])/f.grid.cols
		r.blocks++
		r.x0, r.y0, r.x1, r.y1 = min(r.x0, x), min(r.y0, y), max(r.x1, x+1), max(r.y1, y+1)
		r.weight += int(b.differ)
		if b.level == levelStrong {
			r.hits++
		}
		if pts-b.still < lively {
			r.alive++
		}
		if pts-b.still < restless {
			r.restless++
		}
		if b.vague {
			r.vague++
		}
		for ny := max(0, y-1); ny <= min(y+1, f.grid.rows-1); ny++ {
			for nx := max(0, x-1); nx <= min(x+1, f.grid.cols-1); nx++ {
				n := ny*f.grid.cols + nx
				if blocks[n].level != levelNone && f.labels[n] == 0 {
					f.labels[n] = label
					f.queue = append(f.queue, int32(n))
				}
			}
		}
	}
	return r
}

// add counts r, and puts it among the largest.
func (f *finder) add(r region) {
	f.area += r.blocks
	f.weight += r.weight
	i := len(f.top)
	if i < maxBoxes {
		f.top = append(f.top, r)
	} else if i--; f.top[i].blocks >= r.blocks {
		return
	}
	for ; i > 0 && f.top[i-1].blocks < r.blocks; i-- {
		f.top[i] = f.top[i-1]
	}
	f.top[i] = r
}

// boxes appends the boxes around the largest regions.
func (f *finder) boxes(boxes []Box, w, h float64) []Box {
	for _, r := range f.top {
		boxes = append(boxes, Box{
			X0: float64(r.x0*side) * w, Y0: float64(r.y0*side) * h,
			X1: float64(min(r.x1*side, f.grid.w)) * w, Y1: float64(min(r.y1*side, f.grid.h)) * h,
		})
	}
	return boxes
}

// zones appends the names of the zones with a block of one of the largest regions.
func (f *finder) zones(names []string, member []uint64, zones []Zone) []string {
	var seen uint64
	for _, r := range f.top {
		for y := r.y0; y < r.y1; y++ {
			for x := r.x0; x < r.x1; x++ {
				if b := y*f.grid.cols + x; f.labels[b] == r.label {
					seen |= member[b]
				}
			}
		}
	}
	for i, z := range zones {
		if seen>>i&1 != 0 {
			names = append(names, z.Name)
		}
	}
	return names
}
