// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"testing"
	"time"
)

func TestFunctions(t *testing.T) {
	for x := -20.0; x < 12; x += 0.37 {
		near(t, "exp", exp(x)/math.Exp(x), 1, 1e-11)
	}
	for x := 0.001; x < 5e4; x *= 1.7 {
		near(t, "ln", ln(x), math.Log(x), 1e-12)
		near(t, "power", power(x, -0.21)/math.Pow(x, -0.21), 1, 1e-11)
	}
	for i := int64(-70000); i < 140000; i += 16 {
		near(t, "sin", float64(sin(i))/one, math.Sin(float64(i&^15)/one*2*math.Pi), 2e-5)
	}
	for n := int64(0); n < 1<<40; n = n*3 + 1 {
		if r := isqrt(n); r*r > n || (r+1)*(r+1) <= n {
			t.Errorf("root of %d is %d", n, r)
		}
	}
}

func TestTurns(t *testing.T) {
	for _, c := range []struct {
		micro int64
		t     time.Duration
		want  int64
	}{
		{1_000_000, time.Second / 4, one / 4}, {50_000_000, 10 * time.Millisecond, one / 2}, {50_000_000, time.Hour, 0},
		{333_333, 3000 * time.Hour, 65536 * 64 / 100}, {1_000_000, -time.Second / 4, -one / 4}, {0, time.Hour, 0},
	} {
		got := turns(c.micro, c.t)
		exact := math.Mod(float64(c.micro)/1e6*c.t.Seconds(), 1) * one
		if math.Abs(float64(got)-exact) > 2 {
			t.Errorf("%d uHz after %v is at %d, want %.0f", c.micro, c.t, got, exact)
		}
	}
}

// Luma survives the way to linear light and back, and the codes split the light where the standard does.
func TestTransfer(t *testing.T) {
	c := curve()
	for v := range 256 {
		near(t, "linear light", float64(c.lin[v])/white, light(byte(v)), 1e-5)
		if got := c.lit(byte(v), one); got != byte(v) {
			t.Errorf("luma %d became %d", v, got)
		}
	}
	if c.code(-5) != 0 || c.code(1<<40) != 255 {
		t.Error("light beyond black and white is not clipped")
	}
	for v := 1; v < 255; v++ {
		if c.lit(byte(v), 2*one) < c.lit(byte(v-1), 2*one) {
			t.Errorf("more light made luma %d darker", v)
		}
	}
}

func TestDistributions(t *testing.T) {
	var xs []float64
	for _, v := range gaussTable() {
		xs = append(xs, float64(v)/gaussUnit)
	}
	mean, variance := moments(xs)
	near(t, "mean of the normal quantiles", mean, 0, 1e-9)
	near(t, "their variance", variance, 1, 0.002)
	near(t, "quantile at 0.975", xs[3993], 1.96, 0.002)
	for _, m := range []float64{0, 0.05, 1, 7.5, 23, 39, 41, 700} {
		xs = xs[:0]
		for _, v := range poissonTable(m) {
			xs = append(xs, float64(v))
		}
		mean, variance := moments(xs)
		near(t, "mean of Poisson's quantiles", mean, m, 0.01*m+0.02)
		near(t, "their variance", variance, m, 0.04*m+0.02)
	}
	xs = xs[:0]
	for i := range uint64(100_000) {
		xs = append(xs, float64(uniform(draw(7, i), 1000)))
	}
	mean, variance = moments(xs)
	near(t, "mean of the uniform numbers", mean, 499.5, 4)
	near(t, "their variance", variance, 1e6/12, 1500)
}

func TestSpanAndLattice(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		pts, on, off, rise time.Duration
		want               int64
	}{
		{0, s, 0, s, 0}, {s, s, 0, s, 0}, {3 * s / 2, s, 0, s, one / 2}, {9 * s, s, 0, s, one},
		{5*s + s/4, s, 5 * s, s, one * 3 / 4}, {6 * s, s, 5 * s, s, 0}, {s, s, 0, 0, one}, {2 * s, s, 2 * s, 0, 0}, {3 * s / 2, s, s, s, 0},
	} {
		if got := span(c.pts, c.on, c.off, c.rise); got != c.want {
			t.Errorf("span(%v, %v, %v, %v) is %d, want %d", c.pts, c.on, c.off, c.rise, got, c.want)
		}
	}
	last := lattice(3, -2*one, 0, 0)
	for x := int64(-2 * one); x < 2*one; x += 512 {
		v := lattice(3, x, one/3, one/5)
		if v < -one || v > one {
			t.Fatalf("noise of %d", v)
		}
		if x > -2*one && max(v-last, last-v) > one/20 {
			t.Fatalf("noise jumps from %d to %d", last, v)
		}
		last = v
	}
	if lattice(3, 0, 0, one) == lattice(3, one, 0, 0) {
		t.Error("noise that goes on is noise that drifts")
	}
	if q, r := floorDiv(-7, 4); q != -2 || r != 1 {
		t.Errorf("-7 divided by 4 is %d, %d left", q, r)
	}
}
