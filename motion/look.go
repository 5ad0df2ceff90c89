// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"encoding/binary"
	"time"
)

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
// the weak. A sample of the background may come from a neighbour: cameras tremble. The gain is that of the block's mean,
// but within low and high times the gain of the picture.
func (d *Detector) count(p, bg Plane, i, dx, dy, low, high int) (hits, near int) {
	x0, y0, x1, y1 := d.grid.bounds(i)
	bx, by := x0+dx-1, y0+dy-1
	first, ps := p.Pix[y0*p.Stride+x0:], p.Stride
	var frame []byte // the block of the background, and one sample around it
	bs := bg.Stride
	// A block at the edge goes on with the samples of the edge.
	var block [side * side]uint8
	var around [(side + 2) * (side + 2)]uint8
	if bx >= 0 && by >= 0 && max(bx+side+2, x0+side) <= bg.W && max(by+side+2, y0+side) <= bg.H {
		frame = bg.Pix[by*bs+bx:]
	} else {
		for y := range side {
			row := p.row(min(y0+y, p.H-1), 0, p.W)
			for x := range side {
				block[y*side+x] = row[min(x0+x, p.W-1)]
			}
		}
		for y := range side + 2 {
			row := bg.row(min(max(by+y, 0), bg.H-1), 0, bg.W)
			for x := range side + 2 {
				around[y*(side+2)+x] = row[min(max(bx+x, 0), bg.W-1)]
			}
		}
		first, ps, frame, bs = block[:], side, around[:], side+2
	}
	luma, was := blockSums(first, frame[bs+1:], ps, bs)
	gain := d.light.between(luma*one/max(1, was), low, high)
	strong := d.strong(i)
	if d.blocks[i].noise >= coarseNoise {
		hits, near = d.coarse(first, frame, ps, bs, i, gain)
	} else {
		hits, near = residue(first, frame, ps, bs, gain, strong*2/3, strong)
	}
	area := (x1 - x0) * (y1 - y0)
	return hits * area / (side * side), near * area / (side * side)
}

// coarse is count for a block with much noise: the means of cells of 4x4 samples have a quarter of it. Each cell counts
// as sixteen samples.
func (d *Detector) coarse(p, bg []byte, ps, bs, i, gain int) (hits, near int) {
	const n = side / 2
	strong := (coarseFloor*noiseUnit + int(d.blocks[i].noise)) * n * n / noiseUnit
	strong += strong*int(d.blocks[i].busy)/busyUnit + strong*int(d.blocks[i].habit)/habitUnit
	strong = strong * int(d.zones.weight[i]) / fixed
	for cy := 0; cy < side; cy += n {
		for cx := 0; cx < side; cx += n {
			sum := cell(p[cy*ps+cx:], ps)
			at := bg[cy*bs+cx:]
			was := cell(at[bs+1:], bs)
			off := sum - was*gain/one
			if max(off, -off) <= strong*2/3 {
				continue
			}
			left, right, above, below := cell(at[bs:], bs), cell(at[bs+2:], bs), cell(at[1:], bs), cell(at[2*bs+1:], bs)
			most, least := max(was, left, right, above, below), min(was, left, right, above, below)
			off = max(sum-most*gain/one, least*gain/one-sum)
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

// cell returns the sum of 4x4 samples.
func cell(p []byte, stride int) int {
	const low = 0x00ff00ff
	_ = p[3*stride+3]
	sum := uint32(0)
	for y := range side / 2 {
		v := binary.LittleEndian.Uint32(p[y*stride:])
		sum += v&low + v>>8&low
	}
	return int(sum&0xffff + sum>>16)
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
	if x1-x0 == side { // a word a row, which copy does not know
		for y := y0; y < y1; y++ {
			*(*[side]byte)(to.Pix[y*to.Stride+x0:]) = *(*[side]byte)(from.Pix[y*from.Stride+x0:])
		}
		return
	}
	for y := y0; y < y1; y++ {
		copy(to.row(y, x0, x1), from.row(y, x0, x1))
	}
}
