// SPDX-License-Identifier: Apache-2.0

package motion

// The pixel work is one pass over the luma, fused because memory is what limits it: it reads the picture, the
// background and an earlier picture once, and leaves a few sums per block. Everything else looks at blocks.
//
// diffRow is the seam for vector kernels. It does one row of blocks, all in integers, so a kernel for another
// processor has to give the same bits; diffRowGeneric says what they are.

// sums is what the pass finds out about one block, with d = picture - background for each sample.
type sums struct {
	pos, neg uint16 // sum of d where d > 0, and of -d where d < 0; at most 64*255
	luma     uint16 // sum of the picture's samples
	change   uint16 // sum of |picture - earlier picture|
	over     uint16 // number of samples with |d| > limit
}

// sad returns the sum of absolute differences between the picture and the background.
func (s *sums) sad() int { return int(s.pos) + int(s.neg) }

// shift returns the sum of the differences: far from zero when the block became brighter or darker as a whole.
func (s *sums) shift() int { return int(s.pos) - int(s.neg) }

// stripe is the input of diffRow: one row of blocks, 1 to 8 samples high.
type stripe struct {
	cur, bg, prev Plane
	y0, y1        int     // its rows of samples
	limit         []uint8 // per block: a sample differs when |d| is above this
	update        []uint8 // per block: not 0 lets the background follow the picture by one step
	keep          bool    // store the picture into prev, after comparing
}

// diff runs the pass over a whole frame: it fills out, steps the background towards cur (a sigma-delta
// estimate: by 1 per call) in the blocks that update enables, and stores cur into prev if keep is set.
// It panics when a plane or a slice is too small for the grid, so that no kernel needs to check.
func diff(g grid, cur, bg, prev Plane, limit, update []uint8, keep bool, out []sums) {
	if !cur.holds(g.w, g.h) || !bg.holds(g.w, g.h) || !prev.holds(g.w, g.h) {
		panic("motion: plane does not fit the grid")
	}
	n := g.blocks()
	limit, update, out = limit[:n], update[:n], out[:n]
	for r := range g.rows {
		from, to := r*g.cols, (r+1)*g.cols
		diffRow(stripe{
			cur: cur, bg: bg, prev: prev,
			y0: r * side, y1: min(r*side+side, g.h),
			limit: limit[from:to], update: update[from:to], keep: keep,
		}, out[from:to])
	}
}
