// SPDX-License-Identifier: Apache-2.0

package motion

// shrink makes dst a smaller src: each of its samples is the rounded mean of k by k samples, for k 2 or 4. Columns and
// rows of src that do not fill one are left out. The planes must not overlap. It panics when dst is not
// src.W/k by src.H/k, or a plane is too small for its size, so that no kernel needs to check.
func shrink(dst, src Plane, k int) {
	if k != 2 && k != 4 {
		panic("motion: planes shrink by 2 or 4")
	}
	w, h := src.W/k, src.H/k
	if w == 0 || h == 0 {
		return
	}
	if !src.holds(src.W, src.H) || !dst.holds(w, h) {
		panic("motion: plane does not fit its size")
	}
	for y := range h {
		shrinkRow(dst.row(y, 0, w), src.Pix[y*k*src.Stride:], src.Stride, k)
	}
}
