// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// guarded returns size bytes that end where, or with atStart begin where, memory may not be touched.
func guarded(t *testing.T, size int, atStart bool) []byte {
	page := os.Getpagesize()
	inner := (size + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	for _, guard := range [][]byte{m[:page], m[page+inner:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	from := page
	if !atStart {
		from += inner - size
	}
	return m[from : from+size : from+size]
}

// guardedCanvas has no byte beyond the first and the last sample.
func guardedCanvas(t *testing.T, w, h, pad int, atStart bool) canvas {
	all := guarded(t, (h-1)*(w+pad)+w, atStart)
	return canvas{all, 0, Plane{Pix: all, Stride: w + pad, W: w, H: h}}
}

// TestDiffStaysInside crashes when a kernel reads or writes beyond what it was given.
func TestDiffStaysInside(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 1))
		for _, w := range []int{1, 5, 8, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 72, 96, 127, 128, 129, 200} {
			for _, h := range []int{1, 2, 3, 7, 8, 9, 16} {
				atStart, pad := r.IntN(2) == 0, r.IntN(3)*r.IntN(20)
				n := newGrid(w, h).blocks()
				limit, follow := guarded(t, n, atStart), guarded(t, n, atStart)
				copy(limit, levels(r, n))
				copy(follow, levels(r, n))
				cur := guardedCanvas(t, w, h, pad, atStart).fill(r)
				for rows := range uint8(4) {
					bg := guardedCanvas(t, w, h, pad/2, atStart).fill(r)
					checkDiff(t, "guarded", cur, bg, limit, follow, rows)
				}
			}
		}
	})
}

// TestShrinkStaysInside is the same for shrink.
func TestShrinkStaysInside(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(6, 1))
		for _, k := range []int{2, 4} {
			for _, w := range []int{k, 7, 16, 63, 64, 65, 127, 128, 129, 131, 200, 256, 300} {
				for _, h := range []int{k, 7, 8} {
					for _, atStart := range []bool{false, true} {
						src := guardedCanvas(t, w, h, r.IntN(3)*r.IntN(20), atStart).fill(r)
						checkShrink(t, "guarded", guardedCanvas(t, w/k, h/k, r.IntN(9), atStart), src, k)
					}
				}
			}
		}
	})
}

// TestBlockStaysInside is the same for single blocks.
func TestBlockStaysInside(t *testing.T) {
	eachBlockSeam(t, func(t *testing.T, s blockSeam) {
		r := rand.New(rand.NewPCG(7, 1))
		for _, ps := range []int{8, 9, 15, 16, 17, 64, 300} {
			for _, bs := range []int{10, 11, 16, 17, 64, 300} {
				for _, atStart := range []bool{false, true} {
					p, bg, q := guarded(t, 7*ps+8, atStart), guarded(t, 9*bs+10, atStart), guarded(t, 7*bs+8, atStart)
					for kind := range blockSamples {
						fillBlock(r, kind, p, bg, q)
						checkBlock(t, "guarded", s, p, bg, ps, bs, randomTerms(r))
						s.sums(p, q, ps, bs)
						s.sums(q, p, bs, ps)
						s.sad(p, q, ps, bs)
						s.sad(q, p, bs, ps)
					}
				}
			}
		}
	})
}
