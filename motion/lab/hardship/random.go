// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"sync"
)

// gamma64 is the step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
const gamma64 = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64: a bijection that spreads every bit.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// key makes the start of a sequence out of a seed and two numbers, such as a frame and a class of drops.
func key(seed, a, b uint64) uint64 {
	return mix(mix(seed+a*gamma64) + b*gamma64)
}

// draw returns number i of the sequence of a key. The counter makes it independent of all other draws.
func draw(k, i uint64) uint64 { return mix(k + (i+1)*gamma64) }

// uniform scales 20 bits of h to 0 <= x < n.
func uniform(h uint64, n int64) int64 { return int64(h&(1<<20-1)) * n >> 20 }

const (
	gaussBits = 12
	gaussUnit = 1 << 12 // the tables' standard deviation
)

// gaussTable returns the quantiles of a normal distribution at (i+0.5)/4096, in units of 1/4096.
var gaussTable = sync.OnceValue(func() *[1 << gaussBits]int16 {
	var t [1 << gaussBits]int16
	const half = 1 << (gaussBits - 1)
	const h = 1.0 / 2048
	// The density at x+h is the one at x times ratio, and the ratio itself falls by exp(-h*h) each step.
	density, x, area := 0.3989422804014327, 0.0, 0.0
	ratio, fall := exp(-h*h/2), exp(-h*h)
	for i := range half {
		want := (float64(i) + 0.5) / (2 * half)
		for {
			next := float64(density * ratio)
			slice := float64((density+next)*h) / 2
			if area+slice >= want {
				at := x + float64(h*((want-area)/slice))
				v := int16(round(float64(at * gaussUnit)))
				t[half+i], t[half-1-i] = v, -v
				break
			}
			area += slice
			density, ratio, x = next, float64(ratio*fall), x+h
		}
	}
	return &t
})

// gauss returns a normally distributed number in units of 1/4096, from the lowest 12 bits of h.
func gauss(t *[1 << gaussBits]int16, h uint64) int64 { return int64(t[h&(1<<gaussBits-1)]) }

// poissonTable returns the quantiles of a Poisson distribution at (i+0.5)/1024. Above a mean of 40 the normal
// distribution stands in for it.
func poissonTable(mean float64) []int32 {
	t := make([]int32, 1024)
	if mean > 40 {
		g, sigma := gaussTable(), math.Sqrt(mean)
		for i := range t {
			dev := float64(sigma*float64(g[i*4+2])) / gaussUnit
			t[i] = int32(max(0, round(mean+dev)))
		}
		return t
	}
	p := exp(-mean)
	sum, n := p, int32(0)
	for i := range t {
		for want := (float64(i) + 0.5) / 1024; sum < want && n < 200; {
			n++
			p = float64(p*mean) / float64(n)
			sum += p
		}
		t[i] = n
	}
	return t
}
