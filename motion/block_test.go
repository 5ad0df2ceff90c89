// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// blockSeam is one way to do the work on single blocks. No processor lacks one of them, so they need no switch.
type blockSeam struct {
	name    string
	sums    func(p, q []byte, ps, qs int) (sp, sq int)
	sad     func(p, q []byte, ps, qs int) int
	residue func(p, bg []byte, ps, bs int, gain, weak, strong int) (hits, near int)
}

var blockSeams = []blockSeam{{"generic", sumsBlockGeneric, sadBlockGeneric, residueBlockGeneric}}

func eachBlockSeam[T runner[T]](t T, f func(T, blockSeam)) {
	for _, s := range blockSeams {
		t.Run(s.name, func(t T) { f(t, s) })
	}
}

// blockTerms are what residue is asked with.
type blockTerms struct{ gain, weak, strong int }

// naiveResidue is residue written down from its description, one sample and one explanation at a time.
func naiveResidue(p, bg []byte, ps, bs int, terms blockTerms) (hits, near int) {
	for y := range 8 {
		for x := range 8 {
			v := int(p[y*ps+x])
			if terms.gain > 256 && v >= 235 {
				continue
			}
			lowest, highest := 1<<30, -1
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if dx == 0 || dy == 0 {
						shown := int(bg[(y+1+dy)*bs+x+1+dx]) * terms.gain / 256
						lowest, highest = min(lowest, shown), max(highest, shown)
					}
				}
			}
			if v > highest+terms.weak || v < lowest-terms.weak {
				near++
			}
			if v > highest+terms.strong || v < lowest-terms.strong {
				hits++
			}
		}
	}
	return hits, near
}

// naiveTwo is blockSums and blockSAD at once.
func naiveTwo(p, q []byte, ps, qs int) (sp, sq, sad int) {
	for y := range 8 {
		for x := range 8 {
			a, b := int(p[y*ps+x]), int(q[y*qs+x])
			sp, sq, sad = sp+a, sq+b, sad+max(a-b, b-a)
		}
	}
	return sp, sq, sad
}

// checkBlock compares what s says of a block and the background around it with what the naive model says.
func checkBlock(t testing.TB, what string, s blockSeam, p, bg []byte, ps, bs int, terms blockTerms) {
	t.Helper()
	pWas, bgWas := bytes.Clone(p), bytes.Clone(bg)
	behind := bg[bs+1 : bs+1+7*bs+8]
	wantP, wantQ, wantSAD := naiveTwo(p, behind, ps, bs)
	if sp, sq := s.sums(p, behind, ps, bs); sp != wantP || sq != wantQ {
		t.Fatalf("%s: %s: strides %d and %d: sums %d and %d, want %d and %d", s.name, what, ps, bs, sp, sq, wantP, wantQ)
	}
	if sad := s.sad(p, behind, ps, bs); sad != wantSAD {
		t.Fatalf("%s: %s: strides %d and %d: SAD %d, want %d", s.name, what, ps, bs, sad, wantSAD)
	}
	wantHits, wantNear := naiveResidue(p, bg, ps, bs, terms)
	if hits, near := s.residue(p, bg, ps, bs, terms.gain, terms.weak, terms.strong); hits != wantHits || near != wantNear {
		t.Fatalf("%s: %s: strides %d and %d, %+v: %d hits and %d near, want %d and %d",
			s.name, what, ps, bs, terms, hits, near, wantHits, wantNear)
	}
	if !bytes.Equal(p, pWas) || !bytes.Equal(bg, bgWas) {
		t.Fatalf("%s: %s: samples were written", s.name, what)
	}
}

// blockSamples are ways to fill memory for a block: with samples of all kinds, or of those where something changes.
var blockSamples = []struct {
	name string
	next func(r *rand.Rand) byte
}{
	{"noise", func(r *rand.Rand) byte { return byte(r.Uint32()) }},
	{"black", func(*rand.Rand) byte { return 0 }},
	{"white", func(*rand.Rand) byte { return 255 }},
	{"clipped", func(r *rand.Rand) byte { return byte(230 + r.IntN(11)) }},
	{"dark", func(r *rand.Rand) byte { return byte(r.IntN(4)) }},
	{"bright", func(r *rand.Rand) byte { return byte(252 + r.IntN(4)) }},
	{"flat", func(r *rand.Rand) byte { return byte(120 + r.IntN(9)) }},
	{"poles", func(r *rand.Rand) byte { return byte(255 * r.IntN(2)) }},
}

func fillBlock(r *rand.Rand, kind int, all ...[]byte) {
	for _, b := range all {
		for i := range b {
			b[i] = blockSamples[kind].next(r)
		}
	}
}

var (
	blockGains  = []int{0, 1, 2, 64, 128, 254, 255, 256, 257, 258, 300, 511, 512, 513, 1024, 16384, 32767, 32768, 32769, 65279, 65280, 65534, maxGain}
	blockLimits = []int{0, 1, 2, 5, 8, 20, 127, 128, 253, 254, 255, 256, 1000, 16129, 32512, 1<<15 - 1, 1 << 15, 65024, 65279, 1<<16 - 1, 1 << 16, 1 << 30}
)

// randomTerms has many of the values that matter; both limits are often beside each other, and near what a block of
// such a gain can be off.
func randomTerms(r *rand.Rand) blockTerms {
	gain := r.IntN(maxGain + 1)
	switch r.IntN(4) {
	case 0:
		gain = blockGains[r.IntN(len(blockGains))]
	case 1, 2:
		gain = r.IntN(600)
	}
	limit := func() int {
		switch r.IntN(4) {
		case 0:
			return blockLimits[r.IntN(len(blockLimits))]
		case 1:
			return r.IntN(256)*gain/256 + r.IntN(3)
		case 2:
			return r.IntN(1 << 17)
		}
		return r.IntN(40)
	}
	a, b := limit(), limit()
	return blockTerms{gain, min(a, b), max(a, b)}
}

// randomBlock checks one block with random samples and terms, its rows ps apart, those of the background bs.
func randomBlock(t testing.TB, what string, r *rand.Rand, s blockSeam, ps, bs int, terms blockTerms) {
	t.Helper()
	p, bg := make([]byte, 16+7*ps+8)[r.IntN(17):], make([]byte, 16+9*bs+10)[r.IntN(17):]
	p, bg = p[:7*ps+8:7*ps+8], bg[:9*bs+10:9*bs+10]
	fillBlock(r, r.IntN(len(blockSamples)), p)
	fillBlock(r, r.IntN(len(blockSamples)), bg)
	if r.IntN(2) == 0 { // as a camera does: close to the background times the gain
		for y := range side {
			for x := range side {
				if r.IntN(8) != 0 {
					p[y*ps+x] = byte(min(255, max(0, int(bg[(y+1)*bs+x+1])*terms.gain/256+r.IntN(21)-10)))
				}
			}
		}
	}
	checkBlock(t, what, s, p, bg, ps, bs, terms)
}

func TestBlockStrides(t *testing.T) {
	eachBlockSeam(t, func(t *testing.T, s blockSeam) {
		r := rand.New(rand.NewPCG(1, 3))
		for ps := side; ps <= 300; ps++ {
			for _, bs := range []int{side + 2, side + 2 + r.IntN(290), 300} {
				randomBlock(t, "random", r, s, ps, bs, randomTerms(r))
			}
		}
	})
}

// TestBlockTerms has every gain and every two limits that matter, with every kind of samples before every other.
func TestBlockTerms(t *testing.T) {
	eachBlockSeam(t, func(t *testing.T, s blockSeam) {
		r := rand.New(rand.NewPCG(2, 3))
		p, bg := make([]byte, side*side), make([]byte, (side+2)*(side+2))
		for i, before := range blockSamples {
			for j, behind := range blockSamples {
				for _, gain := range blockGains {
					fillBlock(r, i, p)
					fillBlock(r, j, bg)
					for k, weak := range blockLimits {
						for _, strong := range blockLimits[k:] {
							if strong != weak && testing.Short() && r.IntN(4) != 0 {
								continue
							}
							checkBlock(t, before.name+" on "+behind.name, s, p, bg, side, side+2, blockTerms{gain, weak, strong})
						}
					}
				}
			}
		}
	})
}

// TestBlockGains has every gain with the limits that just let it pass and just do not, below and above.
func TestBlockGains(t *testing.T) {
	eachBlockSeam(t, func(t *testing.T, s blockSeam) {
		r := rand.New(rand.NewPCG(3, 3))
		p, bg := make([]byte, side*side), make([]byte, (side+2)*(side+2))
		for gain := 0; gain <= maxGain; gain++ {
			v, b := r.IntN(256), r.IntN(256)
			for i := range p {
				p[i] = byte(v)
			}
			for i := range bg {
				bg[i] = byte(b)
			}
			off := max(b*gain/256-v, v-b*gain/256)
			weak := max(0, off-1+r.IntN(2))
			checkBlock(t, "flat", s, p, bg, side, side+2, blockTerms{gain, weak, weak + 1})
		}
	})
}

// TestBlockNeighbours lets a single sample of the background explain those of the block around it, at every place, and a
// single sample of the block be like all of the background.
func TestBlockNeighbours(t *testing.T) {
	eachBlockSeam(t, func(t *testing.T, s blockSeam) {
		for _, levels := range [][2]byte{{10, 200}, {200, 10}} {
			p, bg := bytes.Repeat(levels[:1], side*side), bytes.Repeat(levels[1:], (side+2)*(side+2))
			for i := range bg {
				bg[i] = levels[0]
				checkBlock(t, fmt.Sprintf("explained at %d", i), s, p, bg, side, side+2, blockTerms{one, 20, 40})
				bg[i] = levels[1]
			}
			for i := range p {
				p[i] = levels[1]
				checkBlock(t, fmt.Sprintf("same at %d", i), s, p, bg, side, side+2, blockTerms{one, 20, 40})
				p[i] = levels[0]
			}
		}
	})
}

// TestBlockSamples has every pair of samples, at and around a gain of 1.
func TestBlockSamples(t *testing.T) {
	eachBlockSeam(t, func(t *testing.T, s blockSeam) {
		p, bg := make([]byte, side*side), make([]byte, (side+2)*(side+2))
		for b := range 256 {
			for i := range bg {
				bg[i] = byte(b)
			}
			for v := 0; v < 256; v += side * side {
				for i := range p {
					p[i] = byte(v + i)
				}
				for _, gain := range []int{0, 200, 255, 256, 257, 400, 1000} {
					checkBlock(t, "pairs", s, p, bg, side, side+2, blockTerms{gain, 7, 12})
				}
			}
		}
	})
}

func TestBlockMany(t *testing.T) {
	blocks := 200_000
	if testing.Short() {
		blocks /= 10
	}
	eachBlockSeam(t, func(t *testing.T, s blockSeam) {
		r := rand.New(rand.NewPCG(4, 3))
		for i := range blocks {
			randomBlock(t, fmt.Sprintf("block %d", i), r, s, side+r.IntN(20), side+2+r.IntN(20), randomTerms(r))
		}
	})
}

func FuzzBlock(f *testing.F) {
	f.Add(uint64(1), uint16(256), uint16(8), uint16(4), uint32(8), uint32(12))
	f.Add(uint64(2), uint16(300), uint16(290), uint16(0), uint32(0), uint32(0))
	f.Add(uint64(3), uint16(65535), uint16(3), uint16(100), uint32(254), uint32(70000))
	f.Fuzz(func(t *testing.T, seed uint64, gain, ps, bs uint16, a, b uint32) {
		terms := blockTerms{int(gain), int(min(a, b) >> 2), int(max(a, b) >> 2)}
		for _, s := range blockSeams {
			randomBlock(t, "fuzz", rand.New(rand.NewPCG(seed, 3)), s, side+int(ps)%293, side+2+int(bs)%291, terms)
		}
	})
}

// TestBlockAllocates nothing: it is in the frame path.
func TestBlockAllocates(t *testing.T) {
	var p, q [100]byte
	if n := testing.AllocsPerRun(10, func() {
		blockSums(p[:], q[:], 8, 10)
		blockSAD(p[:], q[:], 8, 10)
		residue(p[:], q[:], 8, 10, one, 8, 12)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBlockRefusesShort(t *testing.T) {
	block, around := make([]byte, 7*20+8), make([]byte, 9*20+10)
	for name, f := range map[string]func(){
		"sums, first":         func() { blockSums(block[:7*20+7], block, 20, 20) },
		"sums, second":        func() { blockSums(block, block[:7*20+7], 20, 20) },
		"sums, none":          func() { blockSums(block, nil, 20, 20) },
		"SAD, first":          func() { blockSAD(block[:7*20+7], block, 20, 20) },
		"SAD, second":         func() { blockSAD(block, block[:7*20+7], 20, 20) },
		"SAD, stride":         func() { blockSAD(block, block, 20, 21) },
		"residue, block":      func() { residue(block[:7*20+7], around, 20, 20, one, 8, 12) },
		"residue, background": func() { residue(block, around[:9*20+9], 20, 20, one, 8, 12) },
		"residue, stride":     func() { residue(block, around, 21, 20, one, 8, 12) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
	blockSums(block, block, 20, 20)
	blockSAD(block, block, 20, 20)
	residue(block, around, 20, 20, one, 8, 12)
}

// BenchmarkBlock takes block after block of a picture and its background, as the detector does where much differs.
func BenchmarkBlock(b *testing.B) {
	const w, h = 320, 176 // near caches hold both
	cur, bg := benchFrame(w, h)
	rounds := func(b *testing.B, f func(p, bg []byte)) {
		x, y := 0, 0
		for b.Loop() {
			f(cur.Pix[(y+1)*w+x+1:], bg.Pix[y*w+x:])
			if x += side; x+side+2 > w {
				x, y = 0, y+side
				if y+side+2 > h {
					y = 0
				}
			}
		}
	}
	eachBlockSeam(b, func(b *testing.B, s blockSeam) {
		b.Run("sums", func(b *testing.B) {
			rounds(b, func(p, bg []byte) { s.sums(p, bg[w+1:], w, w) })
		})
		b.Run("SAD", func(b *testing.B) {
			rounds(b, func(p, bg []byte) { s.sad(p, bg[w+1:], w, w) })
		})
		b.Run("residue", func(b *testing.B) {
			rounds(b, func(p, bg []byte) { s.residue(p, bg, w, w, 270, 8, 12) })
		})
	})
}
