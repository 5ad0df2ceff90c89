// SPDX-License-Identifier: Apache-2.0

package hardship

// field is a smooth surface over the picture: values at nodes every step samples, and straight lines between them.
type field struct {
	step, cols, rows int
	nodes            []int32
	line             []int32 // one row of samples
}

// resize fits the field to a picture of w by h samples.
func (f *field) resize(w, h, step int) {
	f.step, f.cols, f.rows = step, w/step+2, h/step+2
	f.nodes = resize(f.nodes, f.cols*f.rows)
	f.line = resize(f.line, w)
}

// row returns the values of the samples of row y. They are valid until the next call.
func (f *field) row(y int) []int32 {
	r, fy := y/f.step, int64(y%f.step)
	a, b := f.nodes[r*f.cols:(r+1)*f.cols], f.nodes[(r+1)*f.cols:(r+2)*f.cols]
	step := int64(f.step)
	node := func(c int) int64 { return (int64(a[c])*(step-fy) + int64(b[c])*fy) / step }
	for c, x := 0, 0; x < len(f.line); c++ {
		left, right := node(c), node(c+1)
		slope := (right - left) * 256 / step
		v := left * 256
		for end := min(x+f.step, len(f.line)); x < end; x++ {
			f.line[x] = int32(v >> 8)
			v += slope
		}
	}
	return f.line
}

// smooth is the cubic 3t^2-2t^3 for 0 <= t <= 65536.
func smooth(t int64) int64 { return t * t >> 16 * (3*one - 2*t) >> 16 }

// lattice is value noise: random numbers from -65536 to 65536 at whole coordinates, and smooth between them. The
// coordinates are in units of 1/65536 of a cell.
func lattice(seed uint64, x, y, t int64) int64 {
	cx, cy, ct := x>>16, y>>16, t>>16
	fx, fy, ft := smooth(x&(one-1)), smooth(y&(one-1)), smooth(t&(one-1))
	plane := func(dt int64) int64 {
		s := mix(seed + uint64(ct+dt)*gamma64)
		at := func(dx, dy int64) int64 { return uniform(key(s, uint64(cx+dx), uint64(cy+dy)), 2*one+1) - one }
		return mixed(mixed(at(0, 0), at(1, 0), fx), mixed(at(0, 1), at(1, 1), fx), fy)
	}
	return mixed(plane(0), plane(1), ft)
}

// mixed goes from a to b as t goes from 0 to 65536.
func mixed(a, b, t int64) int64 { return a + (b-a)*t>>16 }
