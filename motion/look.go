// SPDX-License-Identifier: Apache-2.0

package motion

import "time"

// clipped is the luma from which a sample may be too bright to tell: white in video range.
const clipped = 235

// look decides whether block i is the background under another light, the former background, or something else.
func (d *Detector) look(p Plane, i int) {
	b := &d.blocks[i]
	quarter := (d.grid.area(i) + 3) / 4
	low, high := darkest, brightest
	if d.light.on {
		low, high = 0, 64*one
	}
	hits, near := d.count(p, d.bg, i, d.mount.dx, d.mount.dy, low, high)
	if near < quarter {
		return
	}
	if _, n := d.count(p, d.former, i, 0, 0, one*7/8, one*9/8); n < quarter {
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
func (d *Detector) count(p, bg Plane, i, dx, dy, low, high int) (hits, near int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	// A frame of one sample around the block, where there is one.
	var behind [side + 2][side + 2]uint8
	w, h := x1-x0, y1-y0
	if bx, by := x0+dx-1, y0+dy-1; bx >= 0 && by >= 0 && bx+w+2 <= bg.W && by+h+2 <= bg.H && w == side {
		for y := range h + 2 {
			behind[y] = [side + 2]uint8(bg.Pix[(by+y)*bg.Stride+bx:])
		}
	} else {
		for y := range h + 2 {
			row := bg.row(min(max(by+y, 0), bg.H-1), 0, bg.W)
			for x := range w + 2 {
				behind[y][x] = row[min(max(bx+x, 0), bg.W-1)]
			}
		}
	}
	was, luma := 0, 0
	for y := range h {
		row := &behind[y+1]
		for x, v := range p.row(y0+y, x0, x1) {
			was += int(row[x+1])
			luma += int(v)
		}
	}
	gain := luma * one / max(1, was)
	gain = min(max(gain, low*d.light.gain/one), high*d.light.gain/one)
	if d.blocks[i].noise >= coarseNoise && w == side && h == side {
		return d.coarse(p, &behind, i, x0, y0, gain)
	}
	strong := d.strong(i)
	weak := strong * 2 / 3
	for y := range h {
		above, here, below := &behind[y], &behind[y+1], &behind[y+2]
		for x, v := range p.row(y0+y, x0, x1) {
			x := x & (side - 1)
			a, b, c, e, f := here[x+1], here[x], here[x+2], above[x+1], below[x+1]
			least := int(min(a, b, c, e, f)) * gain / one
			most := int(max(a, b, c, e, f)) * gain / one
			off := max(int(v)-most, least-int(v))
			if v >= clipped && gain > one {
				off = 0
			}
			if off > weak {
				near++
			}
			if off > strong {
				hits++
			}
		}
	}
	return hits, near
}

// coarse is count for a block with much noise: the means of cells of 4x4 samples have a quarter of it. Each cell counts
// as sixteen samples.
func (d *Detector) coarse(p Plane, behind *[side + 2][side + 2]uint8, i, x0, y0, gain int) (hits, near int) {
	const n = side / 2
	strong := (coarseFloor*noiseUnit + int(d.blocks[i].noise)) * n * n / noiseUnit
	strong += strong * int(d.blocks[i].busy) / busyUnit
	strong = strong * int(d.zones.weight[i]) / fixed
	for cy := 0; cy < side; cy += n {
		for cx := 0; cx < side; cx += n {
			sum := 0
			for y := range n {
				for _, v := range p.row(y0+cy+y, x0+cx, x0+cx+n) {
					sum += int(v)
				}
			}
			least, most := 1<<30, 0
			for _, o := range [5][2]int{{1, 1}, {0, 1}, {2, 1}, {1, 0}, {1, 2}} {
				was := 0
				for y := range n {
					for _, v := range behind[cy+y+o[1]][cx+o[0] : cx+o[0]+n] {
						was += int(v)
					}
				}
				least, most = min(least, was), max(most, was)
			}
			off := max(sum-most*gain/one, least*gain/one-sum)
			if off > strong*2/3 {
				near += n * n
			}
			if off > strong {
				hits += n * n
			}
		}
	}
	return hits, near
}

// scaleBlock puts a change of light into the background of block i, which something hides.
func (d *Detector) scaleBlock(i int) {
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
	b.level, b.held, b.differ, b.vague = levelNone, false, 0, false
}

func (d *Detector) copyBlock(to, from Plane, i int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	for y := y0; y < y1; y++ {
		copy(to.row(y, x0, x1), from.row(y, x0, x1))
	}
}
