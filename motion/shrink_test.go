// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// checkShrink compares all that shrink leaves behind with the means taken one by one.
func checkShrink(t testing.TB, what string, dst, src canvas, k int) {
	t.Helper()
	want, srcAll := bytes.Clone(dst.all), bytes.Clone(src.all)
	for y := range dst.H {
		for x := range dst.W {
			sum := 0
			for i := range k * k {
				sum += int(src.Pix[(y*k+i/k)*src.Stride+x*k+i%k])
			}
			want[dst.from+y*dst.Stride+x] = byte((sum + k*k/2) / (k * k))
		}
	}
	shrink(dst.Plane, src.Plane, k)
	for i := range want {
		if at := i - dst.from; dst.all[i] != want[i] {
			t.Fatalf("%s: %dx%d by %d, strides %d and %d: byte %d (row %d, column %d) is %d, want %d",
				what, src.W, src.H, k, src.Stride, dst.Stride, at, at/dst.Stride, at%dst.Stride, dst.all[i], want[i])
		}
	}
	if !bytes.Equal(src.all, srcAll) {
		t.Fatalf("%s: %dx%d by %d: the source was written", what, src.W, src.H, k)
	}
}

// randomShrink checks one size with random samples and places in memory.
func randomShrink(t testing.TB, what string, r *rand.Rand, w, h, k int) {
	t.Helper()
	src := newCanvas(w, h, r.IntN(64), r.IntN(3)*r.IntN(40)).fill(r)
	dst := newCanvas(w/k, h/k, r.IntN(64), r.IntN(3)*r.IntN(40)).fill(r)
	checkShrink(t, what, dst, src, k)
}

func TestShrinkSizes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, k := range []int{2, 4} {
			for h := k; h <= 20; h++ {
				for w := k; w <= 70; w++ {
					randomShrink(t, "random", r, w, h, k)
				}
			}
			for w := 71; w <= 520; w++ {
				randomShrink(t, "wide", r, w, k, k)
			}
		}
	})
}

// TestShrinkPlaces has every alignment of both planes.
func TestShrinkPlaces(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 2))
		for off := range 32 {
			for _, k := range []int{2, 4} {
				src := newCanvas(43*k, 3*k, off, r.IntN(9)).fill(r)
				checkShrink(t, fmt.Sprintf("offset %d", off), newCanvas(43, 3, off*5%32, r.IntN(9)).fill(r), src, k)
			}
		}
	})
}

// TestShrinkRounds has every sum: the samples of a square are as equal as they can be.
func TestShrinkRounds(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, k := range []int{2, 4} {
			n := k * k
			src, dst := newCanvas((255*n+1)*k, k, 0, 0), newCanvas(255*n+1, 1, 0, 0)
			for sum := range dst.W {
				for i := range n {
					src.Pix[i/k*src.Stride+sum*k+i%k] = byte((sum + i) / n)
				}
			}
			checkShrink(t, "sums", dst, src, k)
		}
	})
}

func FuzzShrink(f *testing.F) {
	f.Add(uint64(1), uint16(128), uint8(8), false)
	f.Add(uint64(2), uint16(300), uint8(9), true)
	f.Fuzz(func(t *testing.T, seed uint64, w uint16, h uint8, four bool) {
		k := 2
		if four {
			k = 4
		}
		everyImplementation(func(name string) {
			randomShrink(t, name, rand.New(rand.NewPCG(seed, 2)), int(w)%1024+k, int(h)%48+k, k)
		})
	})
}

func TestShrinkRefuses(t *testing.T) {
	whole := newPlane(64, 8)
	for name, c := range map[string]struct {
		dst, src Plane
		k        int
	}{
		"by 3":             {newPlane(21, 2), whole, 3},
		"narrow":           {newPlane(31, 4), whole, 2},
		"wide":             {newPlane(33, 4), whole, 2},
		"low":              {newPlane(16, 1), whole, 4},
		"short":            {Plane{Pix: make([]byte, 127), Stride: 32, W: 32, H: 4}, whole, 2},
		"short source":     {newPlane(32, 4), Plane{Pix: whole.Pix[:64*8-1], Stride: 64, W: 64, H: 8}, 2},
		"stride of source": {newPlane(32, 4), Plane{Pix: whole.Pix, Stride: 63, W: 64, H: 8}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			shrink(c.dst, c.src, c.k)
		})
	}
	shrink(Plane{}, newPlane(3, 3), 4) // nothing is left of it
}

// BenchmarkShrink has the copy of a frame beside it, in the same run.
func BenchmarkShrink(b *testing.B) {
	const w, h, count = 1280, 720, 24
	first, _ := benchFrame(w, h)
	frames := make([]Plane, count)
	for i := range frames {
		frames[i] = first.clone()
	}
	b.Run("memcpy", func(b *testing.B) {
		b.SetBytes(w * h)
		dst := newPlane(w, h)
		for i := 0; b.Loop(); i++ {
			copy(dst.Pix, frames[i%count].Pix)
		}
	})
	eachImplementation(b, func(b *testing.B) {
		for _, k := range []int{2, 4} {
			b.Run(fmt.Sprintf("by=%d", k), func(b *testing.B) {
				b.SetBytes(w * h)
				dst := newPlane(w/k, h/k)
				for i := 0; b.Loop(); i++ {
					shrink(dst, frames[i%count], k)
				}
			})
		}
	})
}
