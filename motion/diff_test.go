// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// naive is diff written down from its description, one sample at a time.
func naive(g grid, cur, bg, prev Plane, limit, update []uint8, keep bool, out []sums) {
	for b := range out {
		out[b] = sums{}
		x0, y0, x1, y1 := g.bounds(b)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				c, v, e := cur.Pix[y*cur.Stride+x], &bg.Pix[y*bg.Stride+x], &prev.Pix[y*prev.Stride+x]
				out[b].luma += uint16(c)
				out[b].change += uint16(max(c, *e) - min(c, *e))
				if max(c, *v)-min(c, *v) > limit[b] {
					out[b].over++
				}
				switch {
				case c > *v:
					out[b].pos += uint16(c - *v)
					*v += min(1, update[b])
				case c < *v:
					out[b].neg += uint16(*v - c)
					*v -= min(1, update[b])
				}
				if keep {
					*e = c
				}
			}
		}
	}
}

// fill returns a plane of random samples whose rows are apart by pad more samples; those must not be touched.
func fill(r *rand.Rand, w, h, pad int) Plane {
	p := Plane{Pix: make([]byte, h*(w+pad)), Stride: w + pad, W: w, H: h}
	for i := range p.Pix {
		switch p.Pix[i] = byte(r.Uint32()); r.IntN(4) {
		case 0:
			p.Pix[i] = 0
		case 1:
			p.Pix[i] = 255
		}
	}
	return p
}

func (p Plane) clone() Plane {
	p.Pix = bytes.Clone(p.Pix)
	return p
}

// compareDiff runs diff and naive on the same random input.
func compareDiff(t *testing.T, seed uint64, w, h, pad int, keep bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	g := newGrid(w, h)
	cur, bg, prev := fill(r, w, h, pad), fill(r, w, h, pad/2), fill(r, w, h, 0)
	limit, update := make([]uint8, g.blocks()), make([]uint8, g.blocks())
	for b := range limit {
		limit[b], update[b] = uint8(r.Uint32()), uint8(r.Uint32N(3))
	}
	got, want := make([]sums, g.blocks()), make([]sums, g.blocks())
	for b := range got {
		got[b] = sums{1, 2, 3, 4, 5} // left over from the frame before
	}
	cur2, bg2, prev2 := cur.clone(), bg.clone(), prev.clone()
	for range 3 {
		diff(g, cur, bg, prev, limit, update, keep, got)
		naive(g, cur2, bg2, prev2, limit, update, keep, want)
		if !slices.Equal(got, want) {
			t.Fatalf("%dx%d, pad %d: got %v\nwant %v", w, h, pad, got, want)
		}
	}
	for name, pair := range map[string][2]Plane{"picture": {cur, cur2}, "background": {bg, bg2}, "earlier": {prev, prev2}} {
		if !bytes.Equal(pair[0].Pix, pair[1].Pix) {
			t.Errorf("%dx%d, pad %d, keep %v: %s plane differs from the reference", w, h, pad, keep, name)
		}
	}
}

func TestDiff(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {7, 3}, {8, 8}, {9, 8}, {8, 9}, {16, 1}, {1, 17}, {63, 41}, {64, 64}, {161, 119}} {
		for _, pad := range []int{0, 1, 13} {
			compareDiff(t, uint64(size[0]), size[0], size[1], pad, pad == 1)
		}
	}
}

func FuzzDiff(f *testing.F) {
	f.Add(uint64(1), uint8(8), uint8(8), uint8(0), true)
	f.Add(uint64(2), uint8(17), uint8(3), uint8(5), false)
	f.Fuzz(func(t *testing.T, seed uint64, w, h, pad uint8, keep bool) {
		compareDiff(t, seed, int(w)+1, int(h)%48+1, int(pad), keep)
	})
}

// TestDiffExtremes has sums as large as they get.
func TestDiffExtremes(t *testing.T) {
	g := newGrid(8, 8)
	white, black := newPlane(8, 8), newPlane(8, 8)
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	out := make([]sums, 1)
	diff(g, white, black.clone(), black.clone(), []uint8{254}, []uint8{0}, false, out)
	if want := (sums{pos: 64 * 255, luma: 64 * 255, change: 64 * 255, over: 64}); out[0] != want {
		t.Errorf("white on black: got %+v, want %+v", out[0], want)
	}
	diff(g, black, white.clone(), black.clone(), []uint8{255}, []uint8{0}, false, out)
	if want := (sums{neg: 64 * 255}); out[0] != want {
		t.Errorf("black on white: got %+v, want %+v", out[0], want)
	}
	if s := out[0]; s.sad() != 64*255 || s.shift() != -64*255 {
		t.Errorf("sad %d, shift %d, want %d and its negative", s.sad(), s.shift(), 64*255)
	}
}

func TestDiffRefusesShortPlanes(t *testing.T) {
	g := newGrid(16, 9)
	whole := newPlane(16, 9)
	for name, p := range map[string]Plane{
		"no samples":     {Stride: 16, W: 16, H: 9},
		"short last row": {Pix: make([]byte, 16*9-1), Stride: 16, W: 16, H: 9},
		"narrow stride":  {Pix: make([]byte, 16*9), Stride: 15, W: 16, H: 9},
		"huge stride":    {Pix: make([]byte, 16*9), Stride: 1 << 62, W: 16, H: 9},
		"other width":    newPlane(15, 9),
		"other height":   newPlane(16, 10),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			n := g.blocks()
			diff(g, p, whole, whole, make([]uint8, n), make([]uint8, n), false, make([]sums, n))
		})
	}
	last := Plane{Pix: make([]byte, 8*20+16), Stride: 20, W: 16, H: 9} // the padding of the last row may be missing
	if !last.holds(16, 9) {
		t.Error("a plane without padding after its last row is refused")
	}
}
