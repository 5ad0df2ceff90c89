// SPDX-License-Identifier: Apache-2.0

package motion

import "math"

// Plane is the 8-bit luma of one frame. Row y starts at Pix[y*Stride] and has W samples.
type Plane struct {
	Pix          []byte
	Stride, W, H int
}

// holds tells whether p is a whole plane of w by h samples: no row of it ends outside Pix.
func (p Plane) holds(w, h int) bool {
	if p.W != w || p.H != h || p.Stride < w || p.Stride > math.MaxInt/h {
		return false
	}
	return len(p.Pix) >= (h-1)*p.Stride+w
}

// newPlane returns a black plane whose rows are packed.
func newPlane(w, h int) Plane {
	return Plane{Pix: make([]byte, w*h), Stride: w, W: w, H: h}
}

// row returns the samples of row y from x0 up to x1.
func (p Plane) row(y, x0, x1 int) []byte {
	return p.Pix[y*p.Stride+x0 : y*p.Stride+x1]
}

// grid divides a plane into blocks of side by side samples. Those at the right and the lower edge may be smaller.
type grid struct {
	w, h       int // samples
	cols, rows int // blocks
	areas      []uint8
}

// side is the length of a block's edge in samples.
const side = 8

func newGrid(w, h int) grid {
	g := grid{w: w, h: h, cols: (w + side - 1) / side, rows: (h + side - 1) / side}
	g.areas = make([]uint8, g.blocks())
	for b := range g.areas {
		x0, y0, x1, y1 := g.bounds(b)
		g.areas[b] = uint8((x1 - x0) * (y1 - y0))
	}
	return g
}

func (g grid) blocks() int { return g.cols * g.rows }

// bounds returns the samples x0 <= x < x1, y0 <= y < y1 of block b. Blocks count row by row.
func (g grid) bounds(b int) (x0, y0, x1, y1 int) {
	x0, y0 = b%g.cols*side, b/g.cols*side
	return x0, y0, min(x0+side, g.w), min(y0+side, g.h)
}

// area returns the number of samples in block b.
func (g grid) area(b int) int { return int(g.areas[b]) }

// mean divides by the area of a block, which is nearly always the whole one.
func mean(sum, area int) int {
	if area == side*side {
		return sum / (side * side)
	}
	return sum / area
}
