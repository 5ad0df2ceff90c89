// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"unsafe"
)

// naive is diff written down from its description, one sample at a time.
func naive(g grid, cur, bg Plane, limit, follow []uint8, rows uint8, out []sums) {
	for b := range out {
		out[b] = sums{}
		x0, y0, x1, y1 := g.bounds(b)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				c, v := cur.Pix[y*cur.Stride+x], &bg.Pix[y*bg.Stride+x]
				d, up := c-*v, true
				if c < *v {
					d, up = *v-c, false
				}
				if d > limit[b] {
					out[b].over++
				}
				step := min(d, follow[b])
				if rows>>(y&1)&1 == 0 {
					step = 0
				}
				if up {
					out[b].pos += uint16(d)
					*v += step
				} else {
					out[b].neg += uint16(d)
					*v -= step
				}
			}
		}
	}
}

// canvas is memory with a plane inside it; what lies around the samples must not be touched.
type canvas struct {
	all  []byte
	from int // where Pix is in all
	Plane
}

// newCanvas lays a plane into all: its first sample at address off modulo 64, its rows pad samples apart, no padding
// after the last row.
func newCanvas(w, h, off, pad int) canvas {
	all := make([]byte, 64+off+h*(w+pad)+64)
	from := off + (64-int(uintptr(unsafe.Pointer(&all[0]))%64))%64
	size := (h-1)*(w+pad) + w
	return canvas{all, from, Plane{Pix: all[from : from+size : from+size], Stride: w + pad, W: w, H: h}}
}

// fill makes samples of all kinds: noise, black, white. It returns c.
func (c canvas) fill(r *rand.Rand) canvas {
	for i := range c.all {
		v := r.Uint32()
		switch c.all[i] = byte(v); v >> 8 & 7 {
		case 0:
			c.all[i] = 0
		case 1:
			c.all[i] = 255
		}
	}
	return c
}

// near makes most samples of c differ little from those of p, as a background does.
func (c canvas) near(r *rand.Rand, p Plane) canvas {
	for y := range c.H {
		for x := range c.W {
			if v := r.Uint32(); v>>8&3 != 0 {
				c.Pix[y*c.Stride+x] = p.Pix[y*p.Stride+x] + byte(v&31) - 15
			}
		}
	}
	return c
}

func (p Plane) clone() Plane {
	p.Pix = bytes.Clone(p.Pix)
	return p
}

// levels returns n random levels, with many of the values that matter.
func levels(r *rand.Rand, n int) []uint8 {
	out := make([]uint8, n)
	for i := range out {
		out[i] = []uint8{0, 1, 2, 254, 255, uint8(r.Uint32()), uint8(r.Uint32N(32)), uint8(r.Uint32())}[r.IntN(8)]
	}
	return out
}

// checkDiff runs diff on the planes and compares all it leaves behind with what the naive model does.
func checkDiff(t testing.TB, what string, cur, bg canvas, limit, follow []uint8, rows uint8) {
	t.Helper()
	g := newGrid(cur.W, cur.H)
	got, want := make([]sums, g.blocks()), make([]sums, g.blocks())
	for b := range got {
		got[b] = sums{1, 2, 3, 4} // left over from the frame before
	}
	curAll, bgAll := bytes.Clone(cur.all), bytes.Clone(bg.all)
	model := bg.clone()
	naive(g, cur.Plane, model, limit, follow, rows, want)
	diff(g, cur.Plane, bg.Plane, limit, follow, rows, got)
	describe := func() string {
		return fmt.Sprintf("%s: %dx%d, strides %d and %d, rows %d", what, g.w, g.h, cur.Stride, bg.Stride, rows)
	}
	if !slices.Equal(got, want) {
		b := 0
		for got[b] == want[b] {
			b++
		}
		t.Fatalf("%s: block %d with limit %d: got %+v, want %+v", describe(), b, limit[b], got[b], want[b])
	}
	if !bytes.Equal(cur.all, curAll) {
		t.Fatalf("%s: the picture was written", describe())
	}
	for i := range bg.Pix {
		if bg.Pix[i] != model.Pix[i] {
			t.Fatalf("%s: background at %d,%d is %d, want %d", describe(), i%bg.Stride, i/bg.Stride, bg.Pix[i], model.Pix[i])
		}
	}
	if copy(bgAll[bg.from:], model.Pix); !bytes.Equal(bg.all, bgAll) {
		t.Fatalf("%s: written around the background", describe())
	}
}

// randomDiff checks one size with random samples, levels, rows and place in memory.
func randomDiff(t testing.TB, what string, r *rand.Rand, w, h int) {
	t.Helper()
	cur := newCanvas(w, h, r.IntN(64), r.IntN(3)*r.IntN(40)).fill(r)
	bg := newCanvas(w, h, r.IntN(64), r.IntN(3)*r.IntN(40)).fill(r).near(r, cur.Plane)
	n := newGrid(w, h).blocks()
	checkDiff(t, what, cur, bg, levels(r, n), levels(r, n), uint8(r.UintN(4)))
}

func TestDiffSizes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for h := 1; h <= 20; h++ {
			for w := 1; w <= 70; w++ {
				randomDiff(t, "random", r, w, h)
			}
		}
		for _, size := range [][2]int{{127, 33}, {128, 8}, {129, 9}, {161, 119}, {192, 7}, {320, 45}, {333, 17}, {1, 200}, {1280, 3}} {
			randomDiff(t, "random", r, size[0], size[1])
		}
	})
}

// TestDiffPlaces has every alignment of both planes, in every choice of rows.
func TestDiffPlaces(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 1))
		for off := range 32 {
			for rows := range uint8(4) {
				for _, pad := range []int{0, 1, 16, 29} {
					cur := newCanvas(139, 10, off, pad).fill(r)
					bg := newCanvas(139, 10, (off*7+int(rows))%32, pad/2).fill(r).near(r, cur.Plane)
					n := newGrid(139, 10).blocks()
					checkDiff(t, fmt.Sprintf("offset %d", off), cur, bg, levels(r, n), levels(r, n), rows)
				}
			}
		}
	})
}

// TestDiffLevels has every limit with every follow.
func TestDiffLevels(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 1))
		limit, follow := make([]uint8, 256), make([]uint8, 256)
		for b := range limit {
			limit[b] = uint8(b)
		}
		for f := range 256 {
			for b := range follow {
				follow[b] = uint8(f)
			}
			cur := newCanvas(256*side, 4, 0, 0).fill(r)
			checkDiff(t, fmt.Sprintf("follow %d", f), cur, newCanvas(256*side, 4, 0, 0).fill(r), limit, follow, 3)
		}
	})
}

// TestDiffSamples has every pair of samples.
func TestDiffSamples(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		cur, bg := newCanvas(256, 256, 0, 0), newCanvas(256, 256, 0, 0)
		r := rand.New(rand.NewPCG(4, 1))
		for range 8 {
			for i := range cur.Pix {
				cur.Pix[i], bg.Pix[i] = byte(i), byte(i>>8)
			}
			checkDiff(t, "pairs", cur, bg, levels(r, 1024), levels(r, 1024), 3)
		}
	})
}

// TestDiffManyBlocks compares many random blocks; NIGHTJAR_BLOCKS says how many.
func TestDiffManyBlocks(t *testing.T) {
	blocks := 200_000
	if s := os.Getenv("NIGHTJAR_BLOCKS"); s != "" {
		var err error
		if blocks, err = strconv.Atoi(s); err != nil {
			t.Fatal("NIGHTJAR_BLOCKS:", err)
		}
	} else if testing.Short() {
		blocks /= 10
	}
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(uint64(blocks), 1))
		for done := 0; done < blocks; {
			w, h := 64*(1+r.IntN(8)), 8*(1+r.IntN(8))
			randomDiff(t, fmt.Sprintf("after %d blocks", done), r, w, h)
			done += newGrid(w, h).blocks()
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add(uint64(1), uint8(8), uint8(8))
	f.Add(uint64(2), uint8(17), uint8(3))
	f.Add(uint64(3), uint8(200), uint8(19))
	f.Fuzz(func(t *testing.T, seed uint64, w, h uint8) {
		everyImplementation(func(name string) {
			randomDiff(t, name, rand.New(rand.NewPCG(seed, 1)), int(w)+1, int(h)%48+1)
		})
	})
}

// TestDiffExtremes has sums as large as they get.
func TestDiffExtremes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		const w, h = 64, 8
		g := newGrid(w, h)
		white, black := newPlane(w, h), newPlane(w, h)
		for i := range white.Pix {
			white.Pix[i] = 255
		}
		out := make([]sums, g.blocks())
		same := func(v uint8) []uint8 { return bytes.Repeat([]byte{v}, len(out)) }
		for _, c := range []struct {
			name    string
			cur, bg Plane
			limit   uint8
			want    sums
		}{
			{"white on black", white, black, 254, sums{pos: 64 * 255, over: 64}},
			{"black on white", black, white, 255, sums{neg: 64 * 255}},
			{"black on black", black, black, 0, sums{}},
		} {
			diff(g, c.cur, c.bg.clone(), same(c.limit), same(255), 3, out)
			for b, got := range out {
				if got != c.want {
					t.Fatalf("%s: block %d: got %+v, want %+v", c.name, b, got, c.want)
				}
			}
		}
	})
	s := sums{pos: 3, neg: 64 * 255}
	if s.sad() != 3+64*255 || s.shift() != 3-64*255 {
		t.Errorf("sad %d, shift %d, want %d and %d", s.sad(), s.shift(), 3+64*255, 3-64*255)
	}
}

// TestDiffAllocates nothing: it is in the frame path.
func TestDiffAllocates(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		g := newGrid(71, 13)
		cur, bg, b := newPlane(71, 13), newPlane(71, 13), make([]uint8, g.blocks())
		out := make([]sums, g.blocks())
		if n := testing.AllocsPerRun(10, func() { diff(g, cur, bg, b, b, 3, out) }); n != 0 {
			t.Errorf("%v allocations a frame", n)
		}
	})
}

func TestDiffRefusesShortPlanes(t *testing.T) {
	g := newGrid(16, 9)
	whole, n := newPlane(16, 9), g.blocks()
	refuses := func(name string, cur, bg Plane, limit, follow, out int) {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			diff(g, cur, bg, make([]uint8, limit, n), make([]uint8, follow, n), 0, make([]sums, out, n))
		})
	}
	for name, p := range map[string]Plane{
		"no samples":     {Stride: 16, W: 16, H: 9},
		"short last row": {Pix: make([]byte, 16*9-1), Stride: 16, W: 16, H: 9},
		"narrow stride":  {Pix: make([]byte, 16*9), Stride: 15, W: 16, H: 9},
		"huge stride":    {Pix: make([]byte, 16*9), Stride: int(^uint(0) >> 2), W: 16, H: 9},
		"other width":    newPlane(15, 9),
		"other height":   newPlane(16, 10),
	} {
		refuses("picture/"+name, p, whole, n, n, n)
		refuses("background/"+name, whole, p, n, n, n)
	}
	refuses("few limits", whole, whole, n-1, n, n)
	refuses("few follows", whole, whole, n, n-1, n)
	refuses("few sums", whole, whole, n, n, n-1)
	last := Plane{Pix: make([]byte, 8*20+16), Stride: 20, W: 16, H: 9} // the padding of the last row may be missing
	diff(g, last, last.clone(), make([]uint8, n), make([]uint8, n), 3, make([]sums, n))
}
