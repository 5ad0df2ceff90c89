// SPDX-License-Identifier: Apache-2.0

package motion

import "time"

// ghostCalm is how long a region must be still to be taken for a ghost.
const ghostCalm = 150 * time.Millisecond

// ghost tells whether the region in the finder's queue is the place that something left, and not something: its outline
// is in the background, and no longer in the picture. The outline is where samples begin to differ, three and more in a
// row on either side of it: within a coat in front of wallpaper single samples come and go as the paper has it.
func (d *Detector) ghost(p Plane) bool {
	var now, was int
	for _, i := range d.find.queue {
		if d.blocks[i].vague {
			return false
		}
		x0, y0, x1, y1 := d.grid.bounds(int(i))
		limit := max(8, d.strong(int(i))*2/3)
		// across
		for y := y0; y < y1; y++ {
			a, b := max(x0-3, 0), min(x1+3, d.grid.w)
			n, w := outline(p.Pix[y*p.Stride:], d.bg.Pix[y*d.bg.Stride:], a, b, 1, 1, limit)
			now, was = now+n, was+w
		}
		for x := x0; x < x1; x++ {
			a, b := max(y0-3, 0), min(y1+3, d.grid.h)
			n, w := outline(p.Pix[x:], d.bg.Pix[x:], a, b, p.Stride, d.bg.Stride, limit)
			now, was = now+n, was+w
		}
	}
	return 5*was > 7*now
}

// outline adds up the steps at the outlines between samples from and to of a line.
func outline(p, bg []byte, from, to, ps, bs, limit int) (now, was int) {
	for k := from; k+6 <= to; k++ {
		var out, in, pi, po, bi, bo int
		side := -1
		ok := true
		for j := range 6 {
			a, b := int(p[(k+j)*ps]), int(bg[(k+j)*bs])
			diff := a-b > limit || b-a > limit
			if j == 0 {
				side = 0
				if diff {
					side = 1
				}
			}
			want := side == 1
			if j >= 3 {
				want = !want
			}
			if diff != want {
				ok = false
				break
			}
			if diff {
				in++
				pi += a
				bi += b
			} else {
				out++
				po += a
				bo += b
			}
		}
		if ok {
			now += max(pi-po, po-pi)
			was += max(bi-bo, bo-bi)
		}
	}
	return now, was
}
