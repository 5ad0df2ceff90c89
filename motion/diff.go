// SPDX-License-Identifier: Apache-2.0

package motion

// The pixel work is one pass over the luma, fused because memory is what limits it: it reads the picture and the
// background once, and leaves a few sums per block. Everything else looks at blocks.
//
// diff is the seam. Below it diffStripe does one row of blocks: diffGeneric in plain Go says what the bits are, and
// the assembly for a processor (diff_asm.go) has to give the same ones.

// sums is what the pass finds out about one block, with d = picture - background for each sample.
// The assembly knows its layout.
type sums struct {
	pos, neg uint16 // sum of d where d > 0, and of -d where d < 0; at most 64*255
	over     uint16 // number of samples with |d| > limit
	_        uint16 // 0
}

// sad returns the sum of absolute differences between the picture and the background.
func (s *sums) sad() int { return int(s.pos) + int(s.neg) }

// shift returns the sum of the differences: far from zero when the block became brighter or darker as a whole.
func (s *sums) shift() int { return int(s.pos) - int(s.neg) }

// diff runs the pass over a frame: it fills out, and moves the background towards the picture by at most follow[b]
// levels in block b: 0 keeps it, 1 is a sigma-delta step, 255 copies. Only rows y of samples for which bit y&1 of
// rows is set move: 0 is none, 1 the even ones, 2 the odd ones, 3 all. A row that does not move is not written.
//
// It panics when a plane or a slice is too small for the grid, so that no kernel needs to check.
func diff(g grid, cur, bg Plane, limit, follow []uint8, rows uint8, out []sums) {
	n := g.blocks()
	if !cur.holds(g.w, g.h) || !bg.holds(g.w, g.h) || len(limit) < n || len(follow) < n || len(out) < n {
		panic("motion: plane or blocks do not fit the grid")
	}
	clear(out[:n])
	for r := range g.rows {
		y, from, to := r*side, r*g.cols, (r+1)*g.cols
		diffStripe(stripe{
			cur: cur.Pix[y*cur.Stride:], bg: bg.Pix[y*bg.Stride:], curStride: cur.Stride, bgStride: bg.Stride,
			w: g.w, h: min(side, g.h-y), limit: limit[from:to], follow: follow[from:to], rows: rows & 3, out: out[from:to],
		})
	}
}

// stripe is one row of blocks, or a part of one: 1 to 8 rows of samples. What is found is added to out.
type stripe struct {
	cur, bg             []byte // from the first sample on
	curStride, bgStride int
	w, h                int // samples
	limit, follow       []uint8
	rows                uint8
	out                 []sums
}

// right returns what is left of s beyond the first x samples of each row, a multiple of side.
func (s stripe) right(x int) stripe {
	s.cur, s.bg, s.w = s.cur[x:], s.bg[x:], s.w-x
	s.limit, s.follow, s.out = s.limit[x/side:], s.follow[x/side:], s.out[x/side:]
	return s
}

// below returns what is left of s beneath its first y rows, an even number, and left of column x.
func (s stripe) below(y, x int) stripe {
	s.cur, s.bg, s.h, s.w = s.cur[y*s.curStride:], s.bg[y*s.bgStride:], s.h-y, x
	s.limit, s.follow, s.out = s.limit[:x/side], s.follow[:x/side], s.out[:x/side]
	return s
}
