// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchFrame returns a picture and a background as a camera gives them: a gradient, sensor noise, one textured object.
func benchFrame(w, h int) (cur, bg Plane) {
	r := rand.New(rand.NewPCG(1, 2))
	cur, bg = newPlane(w, h), newPlane(w, h)
	for y := range h {
		for x := range w {
			v := 40 + 100*x/w + 60*y/h
			bg.Pix[y*w+x] = byte(v)
			cur.Pix[y*w+x] = byte(v + r.IntN(7) - 3)
			if x > w/2 && x < w*5/8 && y > h/3 && y < h*2/3 {
				cur.Pix[y*w+x] = byte(r.IntN(160) + 40)
			}
		}
	}
	return cur, bg
}

// BenchmarkDiff has the copy of a frame beside the pass, in the same run: only their ratio says something on a
// machine with other work to do. With one frame over and over, all is in near caches and arithmetic is the limit;
// a camera gives another frame each time, and then memory is.
func BenchmarkDiff(b *testing.B) {
	const w, h, count = 1280, 720, 24
	g := newGrid(w, h)
	first, bg := benchFrame(w, h)
	frames := make([]Plane, count)
	for i := range frames {
		frames[i] = first.clone()
	}
	limit, follow, out := make([]uint8, g.blocks()), make([]uint8, g.blocks()), make([]sums, g.blocks())
	for i := range limit {
		limit[i], follow[i] = 12, 1
	}
	for _, n := range []int{1, count} {
		name := fmt.Sprintf("frames=%d", n)
		b.Run(name+"/memcpy", func(b *testing.B) {
			b.SetBytes(w * h)
			dst := newPlane(w, h)
			for i := 0; b.Loop(); i++ {
				copy(dst.Pix, frames[i%n].Pix)
			}
		})
		b.Run(name, func(b *testing.B) {
			eachImplementation(b, func(b *testing.B) {
				for _, rows := range []uint8{0, 1, 3} {
					b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
						b.SetBytes(w * h)
						moved := bg.clone() // it closes up to the picture, as a real one does
						for i := 0; b.Loop(); i++ {
							diff(g, frames[i%n], moved, limit, follow, rows, out)
						}
					})
				}
			})
		})
	}
}
