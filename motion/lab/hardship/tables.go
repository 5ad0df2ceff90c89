// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

// one is 1 in the fixed point of this package: factors and linear light have 16 binary places.
const one = 1 << 16

// white is the linear light of luma 255.
const white = one - 1

// transfer holds the sRGB transfer function (IEC 61966-2-1) and its inverse.
type transfer struct {
	lin [256]int32      // linear light of a luma, 0 to white
	enc [one >> 2]uint8 // luma of linear light >> 2
}

// curve returns the transfer tables.
var curve = sync.OnceValue(func() *transfer {
	var t transfer
	for v := range t.lin {
		t.lin[v] = int32(round(float64(linear(float64(v)/255) * white)))
	}
	v := 0
	edge := func() float64 { return float64(linear((float64(v)+0.5)/255) * white) }
	next := edge()
	for i := range t.enc {
		for v < 255 && float64(i*4+2) > next {
			v++
			next = edge()
		}
		t.enc[i] = uint8(v)
	}
	return &t
})

// code returns the luma of linear light x, clipped like a sensor that is full.
func (t *transfer) code(x int64) uint8 {
	return t.enc[min(max(x, 0), white)>>2]
}

// lit returns luma v under gain times the light.
func (t *transfer) lit(v uint8, gain int64) uint8 {
	return t.code((int64(t.lin[v])*gain + one/2) >> 16)
}

// linear is the decoding half of IEC 61966-2-1.
func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return exp(float64(2.4 * ln((v+0.055)/1.055)))
}

// round returns the nearest integer. The conversion keeps a product in the argument from being fused with the sum.
func round(x float64) int64 { return int64(math.Floor(float64(x) + 0.5)) }

// exp returns e to the x. Unlike math.Exp it is the same sequence of rounded operations on every processor.
func exp(x float64) float64 {
	n := 0
	for x > 1.0/64 || x < -1.0/64 {
		x /= 2
		n++
	}
	sum, term := 1.0, 1.0
	for i := 1; i < 9; i++ {
		term = float64(term*x) / float64(i)
		sum += term
	}
	for range n {
		sum = float64(sum * sum)
	}
	return sum
}

// ln returns the natural logarithm of x > 0, see exp.
func ln(x float64) float64 {
	n := 0
	for ; x > 1.5; n++ {
		x /= 2
	}
	for ; x < 0.75; n-- {
		x *= 2
	}
	y := (x - 1) / (x + 1)
	y2 := float64(y * y)
	sum, term := 0.0, y
	for i := 1; i < 30; i += 2 {
		sum += term / float64(i)
		term = float64(term * y2)
	}
	return float64(2*sum) + float64(float64(n)*0.6931471805599453)
}

// power returns x to the y for x > 0.
func power(x, y float64) float64 { return exp(float64(y * ln(x))) }

// sineTable returns one turn of the sine in 4096 steps, in units of 1/65536.
var sineTable = sync.OnceValue(func() *[4096]int32 {
	var t [4096]int32
	for i := range 1025 {
		s := int32(round(float64(sine(float64(i)/1024*(math.Pi/2)) * one)))
		t[i], t[2048-i] = s, s
		t[2048+i], t[(4096-i)&4095] = -s, -s
	}
	return &t
})

// sine returns the sine of 0 <= x <= 4.
func sine(x float64) float64 {
	x2 := float64(x * x)
	sum, term := 0.0, x
	for i := 1; i < 30; i += 2 {
		sum += term
		term = -float64(term*x2) / float64((i+1)*(i+2))
	}
	return sum
}

// sin returns the sine of phase/65536 turns, in units of 1/65536.
func sin(phase int64) int64 { return int64(sineTable()[phase>>4&4095]) }

// turns returns where an oscillation of so many millionths of a hertz is at time t, in 1/65536 of a turn.
func turns(micro int64, t time.Duration) int64 {
	neg := t < 0
	if neg {
		t = -t
	}
	const period = 1e15 // a hertz is 1e6 millionths, a second 1e9 nanoseconds
	hi, lo := bits.Mul64(uint64(micro), uint64(t))
	hi, lo = bits.Mul64(bits.Rem64(hi, lo, period), one)
	part, _ := bits.Div64(hi, lo, period)
	if neg {
		return -int64(part)
	}
	return int64(part)
}

// falloff returns how light weakens with the square of the distance from below a lamp, in its height: table of
// 1/(1+r*r)^2, the cosine-fourth law of a Lambertian lamp over a plane, for r*r up to 16 in steps of 1/64.
var falloff = sync.OnceValue(func() *[1024]int32 {
	var t [1024]int32
	for i := range t {
		d := 64 + int64(i)
		t[i] = int32(int64(one) * 64 * 64 / (d * d))
	}
	// It ends in zero instead of a step: what is left at the rim is taken off everywhere.
	rim := t[len(t)-1]
	for i := range t {
		t[i] = int32(int64(t[i]-rim) * one / int64(one-rim))
	}
	return &t
})

// isqrt returns the integer square root.
func isqrt(n int64) int64 {
	if n <= 0 {
		return 0
	}
	x := int64(1) << ((bits.Len64(uint64(n)) + 1) / 2)
	for {
		y := (x + n/x) / 2
		if y >= x {
			return x
		}
		x = y
	}
}
