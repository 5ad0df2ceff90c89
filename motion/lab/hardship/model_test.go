// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// The tests here hold the effects against the models they state, computed anew with package math.

func apply(t *testing.T, spec string, p motion.Plane, frame int, pts time.Duration) motion.Plane {
	t.Helper()
	e, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	e.Apply(p, frame, pts)
	return p
}

func flat(w, h int, v byte) motion.Plane {
	p := motion.Plane{Pix: make([]byte, w*h), Stride: w, W: w, H: h}
	for i := range p.Pix {
		p.Pix[i] = v
	}
	return p
}

// light is the sRGB decoding of IEC 61966-2-1.
func light(v byte) float64 {
	x := float64(v) / 255
	if x <= 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.5g, want %.5g within %.3g", what, got, want, tolerance)
	}
}

func moments(xs []float64) (mean, variance float64) {
	for _, x := range xs {
		mean += x
	}
	mean /= float64(len(xs))
	for _, x := range xs {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / float64(len(xs)-1)
}

// EMVA 1288, equation 9: the variance in electrons is that of the dark noise plus the mean.
func TestNightNoise(t *testing.T) {
	const gain, fullwell, read = 16, 6000, 3
	e, err := Parse("night:level=1,gain=16,fullwell=6000,read=3,prnu=0,dsnu=0,row=0")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []byte{65, 100, 128, 170, 200} { // 65 and 100 have few enough electrons for Poisson's own distribution
		var electrons []float64
		for frame := range 4 {
			p := flat(200, 200, v)
			e.Apply(p, frame, 0)
			for _, x := range p.Pix {
				electrons = append(electrons, light(x)*fullwell/gain)
			}
		}
		mean, variance := moments(electrons)
		want := light(v) / gain * fullwell
		near(t, "mean in electrons", mean, want, 0.01*want+0.1)
		near(t, "variance in electrons", variance, want+read*read, 0.04*(want+read*read))
	}
}

// What stays in the mean of many frames is the fixed pattern; what a row shares is the row noise.
func TestNightPatterns(t *testing.T) {
	const frames, w, h = 64, 80, 60
	e, err := Parse("night:level=1,gain=16,fullwell=6000,read=2,prnu=5,dsnu=4,row=6")
	if err != nil {
		t.Fatal(err)
	}
	mean := light(128) / 16 * 6000
	sums, rows := make([]float64, w*h), []float64(nil)
	for frame := range frames {
		p := flat(w, h, 128)
		e.Apply(p, frame, 0)
		for y := range h {
			row := 0.0
			for x := range w {
				v := light(p.Pix[y*w+x]) * 6000 / 16
				sums[y*w+x] += v / frames
				row += v / w
			}
			rows = append(rows, row)
		}
	}
	_, fixed := moments(sums)
	want := 4*4 + math.Pow(0.05*mean, 2) + (mean+2*2+6*6)/frames
	near(t, "variance of the fixed pattern", fixed, want, 0.1*want)
	_, rowVar := moments(rows)
	want = 6*6 + (want+mean+2*2)/w
	near(t, "variance of the rows", rowVar, want, 0.1*want)
}

func TestNightLevelAndDenoise(t *testing.T) {
	mean := func(spec string, v byte) (float64, float64) {
		var xs []float64
		for _, x := range apply(t, spec, flat(200, 200, v), 3, 0).Pix {
			xs = append(xs, light(x))
		}
		return moments(xs)
	}
	for _, level := range []string{"0.3", "0.6"} {
		l := map[string]float64{"0.3": 0.3, "0.6": 0.6}[level]
		m, noise := mean("night:gain=8,level="+level, 180)
		near(t, "mean light at level "+level, m, l*light(180), 0.02*l*light(180))
		_, quiet := mean("night:gain=8,denoise=1,level="+level, 180)
		if quiet > noise/4 {
			t.Errorf("level %s: denoise leaves a variance of %v of %v, want less than a quarter", level, quiet, noise)
		}
	}
}

func TestExposureInLinearLight(t *testing.T) {
	for v := 5; v < 256; v += 5 {
		up := apply(t, "exposure:at=1,ev=1", flat(1, 1, byte(v)), 0, time.Second).Pix[0]
		half := apply(t, "exposure:at=1,ev=3,ramp=2", flat(1, 1, byte(v)), 0, 2*time.Second).Pix[0]
		down := apply(t, "exposure:at=1,ev=-2", flat(1, 1, byte(v)), 0, time.Second).Pix[0]
		for _, c := range []struct {
			got  byte
			gain float64
		}{{up, 2}, {half, math.Pow(2, 1.5)}, {down, 0.25}} {
			want := math.Min(light(byte(v))*c.gain, 1)
			step := light(min(c.got, 254)+1) - light(min(c.got, 254)) // a level of luma in light
			near(t, "light", light(c.got), want, 0.51*step+0.001)
		}
	}
}

// A row sees 1 + depth*sinc(2fT)*cos(2*pi*2f*t), at the time it is read.
func TestFlickerRows(t *testing.T) {
	const w, h = 4, 108
	for _, c := range []struct {
		spec                            string
		mains, depth, exposure, readout float64
	}{
		{"flicker", 50, 0.3, 0.004, 0.016},
		{"flicker:mains=60,depth=0.9,exposure=7,readout=30", 60, 0.9, 0.007, 0.030}, // past the first zero: the wave is turned over
		{"flicker:depth=1,exposure=0.01,readout=0", 50, 1, 0.00001, 0},
	} {
		for _, ms := range []int{0, 40, 133, 1001} {
			p := apply(t, c.spec, flat(w, h, 120), 0, time.Duration(ms)*time.Millisecond)
			angle := 2 * math.Pi * c.mains * c.exposure
			share := math.Sin(angle) / angle
			for y := range h {
				when := float64(ms)/1000 + c.readout*float64(y)/h
				want := light(120) * (1 + c.depth*share*math.Cos(2*math.Pi*2*c.mains*when))
				near(t, c.spec+": light of a row", light(p.Pix[y*w]), math.Min(want, 1), 0.005)
			}
		}
	}
	// With fps the frames count and their time stamps do not.
	a := apply(t, "flicker:fps=30", flat(1, 20, 120), 7, 0).Pix
	b := apply(t, "flicker", flat(1, 20, 120), 0, 7*time.Second/30).Pix
	if string(a) != string(b) {
		t.Errorf("frame 7 at 30 fps is %v, and %v by its pts", a, b)
	}
}

// displaced measures how far a picture with an even slope was shifted, in samples.
func displaced(t *testing.T, spec string, pts time.Duration) (dx, dy float64) {
	t.Helper()
	const n = 80
	p := motion.Plane{Pix: make([]byte, n*n), Stride: n, W: n, H: n}
	measure := func(across bool) float64 {
		for i := range p.Pix {
			p.Pix[i] = byte(3 * (i / n))
			if across {
				p.Pix[i] = byte(3 * (i % n))
			}
		}
		before := p.Pix[40*n+40]
		apply(t, spec, p, 0, pts)
		return (float64(p.Pix[40*n+40]) - float64(before)) / 3
	}
	return measure(true), measure(false)
}

func TestShake(t *testing.T) {
	// amp is in samples of a picture 640 wide, so 80 samples see an eighth.
	for ms := 0; ms < 2000; ms += 30 {
		dx, dy := displaced(t, "shake:amp=40,bump=0.5,freq=3,damp=0.4", time.Duration(ms)*time.Millisecond)
		since := float64(ms)/1000 - 0.5
		wantX, wantY := 0.0, 0.0
		if since > 0 {
			a := 5 * math.Exp(-since/0.4)
			wantX, wantY = a*math.Sin(2*math.Pi*3*since), 0.6*a*math.Sin(2*math.Pi*6*since)
		}
		near(t, "shift across after a bump", dx, wantX, 0.3)
		near(t, "shift down after a bump", dy, wantY, 0.3)
	}
	var xs, ys []float64
	for i := range 600 {
		dx, dy := displaced(t, "shake:amp=40", time.Duration(i)*97*time.Millisecond)
		xs, ys = append(xs, dx), append(ys, dy)
		if math.Abs(dx) > 5.2 || math.Abs(dy) > 3.2 {
			t.Fatalf("wind shifts by %.2f and %.2f samples, at most 5 and 3 are stated", dx, dy)
		}
	}
	// Four oscillations with a quarter of the amplitude each.
	_, vx := moments(xs)
	_, vy := moments(ys)
	near(t, "rms shift across in the wind", math.Sqrt(vx), 5/4.0*math.Sqrt(2), 0.3)
	near(t, "rms shift down in the wind", math.Sqrt(vy), 3/4.0*math.Sqrt(2), 0.2)
}

// Below the lamp it has its whole light, and at a distance of its height a quarter, less what is taken off at the rim.
func TestLampFalloff(t *testing.T) {
	p := apply(t, "lamp:at=0,rise=0,x=0.5,y=0.5,radius=0.25,gain=2", flat(201, 201, 90), 0, time.Second)
	gain := func(x, y int) float64 { return light(p.Pix[y*201+x])/light(90) - 1 }
	near(t, "gain below the lamp", gain(100, 100), 2, 0.05)
	near(t, "gain at one height", gain(150, 100), 2*0.25, 0.06)
	near(t, "gain at one height downwards", gain(100, 150), 2*0.25, 0.06)
	near(t, "gain in the corner", gain(0, 0), 2/math.Pow(1+8, 2), 0.04)
	half := apply(t, "lamp:at=0,rise=2,x=0.5,y=0.5,radius=0.25,gain=2", flat(201, 201, 90), 0, time.Second)
	near(t, "gain halfway", light(half.Pix[100*201+100])/light(90)-1, 1, 0.05)
}

func TestHeadlightsSweep(t *testing.T) {
	brightest := func(spec string, pts time.Duration) int {
		p := apply(t, spec, flat(200, 40, 60), 0, pts)
		at, most := -1, byte(60)
		for x := range 200 {
			if v := p.Pix[20*200+x]; v > most {
				at, most = x, v
			}
		}
		return at
	}
	a, b, c := brightest("headlights:from=1,to=3", 1700*time.Millisecond), brightest("headlights:from=1,to=3", 2*time.Second), brightest("headlights:from=1,to=3", 2300*time.Millisecond)
	if !(a < b && b < c) || b < 90 || b > 110 {
		t.Errorf("the light is at %d, %d, %d of 200, want it to go to the right and be in the middle at half time", a, b, c)
	}
	if left := brightest("headlights:from=1,to=3,dir=-1", 1700*time.Millisecond); left <= 110 {
		t.Errorf("the light that goes to the left begins at %d of 200", left)
	}
}

func TestCloudsStayWithinDepth(t *testing.T) {
	var gains []float64
	for i := range 300 {
		for _, v := range apply(t, "clouds:depth=0.4,size=0.2,period=2", flat(32, 18, 150), i, time.Duration(i)*700*time.Millisecond).Pix {
			gains = append(gains, light(v)/light(150))
		}
	}
	mean, variance := moments(gains)
	near(t, "mean gain", mean, 1, 0.05)
	if variance < 0.002 {
		t.Errorf("variance of the gain is %v: no clouds", variance)
	}
	for _, g := range gains {
		if g < 0.59 || g > 1.41 {
			t.Fatalf("gain %v, 0.6 to 1.4 is stated", g)
		}
	}
}

func TestInfrared(t *testing.T) {
	middle := func(v byte, ms int) byte {
		return apply(t, "ircut:at=1,back=3,gap=0.2,regions=0,gain=1,beam=10", flat(41, 41, v), 0, time.Duration(ms)*time.Millisecond).Pix[20*41+20]
	}
	if v := middle(120, 1040); v > 30 {
		t.Errorf("luma in the gap is %d, want it black", v)
	}
	if v := middle(120, 1100); v < 200 {
		t.Errorf("luma behind the gap is %d, want it overexposed", v)
	}
	for v, want := range map[byte]byte{50: 130, 90: 165, 140: 110, 255: 235} {
		near(t, "luma in infrared", float64(middle(v, 2000)), float64(want), 5)
	}
}
