// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// The number of drops is that of Marshall and Palmer in the air before the camera, their lengths those of their fall.
func TestRainIsMarshallPalmer(t *testing.T) {
	const w, h, frames = 640, 360, 400
	for spec, c := range map[string]struct{ rate, smallest float64 }{
		"rain":                    {25, 1},
		"rain:rate=2":             {2, 1},
		"rain:rate=100":           {100, 1},
		"rain:rate=40,smallest=2": {40, 2},
	} {
		e, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		r := e.(*rain)
		r.fit(w, h)
		slope := 4.1 * math.Pow(c.rate, -0.21)
		density := 8000 / slope * math.Exp(-slope*c.smallest)
		for i, s := range slabs {
			// The air is a pyramid with the camera at its tip, cut by the slab.
			volume := 0.0
			for k := range 1000 {
				z := s.near + (s.far-s.near)*(float64(k)+0.5)/1000
				volume += z / focal * z / focal * h / w * (s.far - s.near) / 1000
			}
			l := &r.layers[i]
			wide, high := w+float64(2*l.xs)/256, h+float64(l.ys)/256
			want := density * volume * wide * high / (w * h)
			got := 0.0
			for frame := range frames {
				got += float64(l.count[draw(key(r.base, uint64(frame), uint64(i)), 0)&1023]) / frames
			}
			near(t, spec+": drops in a slab", got, want, 0.02*want+4*math.Sqrt(want/frames))

			var diameters []float64
			for j := range l.drops {
				d := l.drops[j]
				mm := float64(d.width) / 256 / (focal * w / s.depth()) * 1000
				diameters = append(diameters, mm)
				fall := 200 * math.Sqrt(mm/2000) * 0.004 * focal * w / s.depth()
				near(t, spec+": length of a streak", float64(d.length)/256, fall, 0.02*fall+0.1)
			}
			mean, _ := moments(diameters)
			near(t, spec+": mean diameter", mean, c.smallest+1/slope, 0.03*mean)
		}
	}
}

// The streaks are bright, never dark, fewer in light rain, and others in each frame.
func TestRainOnThePicture(t *testing.T) {
	wet := func(spec string, frame int) (n int) {
		for _, v := range apply(t, spec, flat(320, 240, 70), frame, 0).Pix {
			if v < 70 {
				t.Fatalf("%s: a sample of 70 became %d", spec, v)
			}
			if v > 71 {
				n++
			}
		}
		return n
	}
	if light, heavy := wet("rain:rate=1", 0), wet("rain:rate=60", 0); light*3 > heavy || heavy == 0 {
		t.Errorf("%d samples are wet at 1 mm/h and %d at 60 mm/h", light, heavy)
	}
	if slices.Equal(apply(t, "rain", flat(320, 240, 70), 1, 0).Pix, apply(t, "rain", flat(320, 240, 70), 2, 0).Pix) {
		t.Error("two frames have the same drops")
	}
}

func TestSnowDensity(t *testing.T) {
	e, err := Parse("snow:density=100")
	if err != nil {
		t.Fatal(err)
	}
	s := e.(*snow)
	s.fit(640, 360)
	for i, slab := range slabs {
		l := &s.layers[i]
		m := float64(2*l.margin) / 256
		want := 100 * 360.0 / 640 / (focal * focal) * (math.Pow(slab.far, 3) - math.Pow(slab.near, 3)) / 3 * (640 + m) * (360 + m) / (640 * 360)
		near(t, "flakes in a slab", float64(l.count), want, 0.51)
		near(t, "mean diameter in mm", meanRadius(l)*2000/256/(focal*640/slab.depth()), 3.5, 0.15)
	}
}

func meanRadius(l *flakes) (mean float64) {
	for _, r := range l.radius {
		mean += float64(r) / float64(len(l.radius))
	}
	return mean
}

// One flake falls as fast as it should, and is followed from frame to frame.
func TestSnowFalls(t *testing.T) {
	e, err := Parse("snow:speed=1,wind=0,light=16")
	if err != nil {
		t.Fatal(err)
	}
	s := e.(*snow)
	s.fit(640, 360)
	l := &s.layers[2]
	followed := 0
	for i := range 400 {
		centre := func(pts time.Duration) (x, y float64, whole bool) {
			p, sum := flat(640, 360, 0), 0.0
			s.flake(p, l, draw(99, uint64(i)), pts)
			for at, v := range p.Pix {
				if v > 0 {
					x, y, sum = x+light(v)*float64(at%640), y+light(v)*float64(at/640), sum+light(v)
					if at%640 < 1 || at%640 > 638 || at/640 < 1 || at/640 > 358 {
						return 0, 0, false
					}
				}
			}
			return x / sum, y / sum, sum > 0
		}
		x0, y0, a := centre(2 * time.Second)
		x1, y1, b := centre(2040 * time.Millisecond)
		if !a || !b || y1 < y0 {
			continue
		}
		followed++
		metre := float64(l.scale) / 256
		near(t, "fall in 40 ms, in metres", (y1-y0)/metre, 0.04, 0.008+1/metre)
		near(t, "swing in 40 ms, in metres", (x1-x0)/metre, 0, 0.02*2*math.Pi*0.04+1/metre)
		if followed == 12 {
			return
		}
	}
	t.Errorf("only %d flakes were in the picture", followed)
}

// walk returns what the person covers: the box around it, and how many samples became brighter and darker.
func walk(t *testing.T, spec string, pts time.Duration) (box [4]int, brighter, darker int) {
	t.Helper()
	const w, h = 320, 240
	p := apply(t, spec, flat(w, h, 120), 0, pts)
	box = [4]int{w, h, 0, 0}
	for i, v := range p.Pix {
		switch {
		case v > 122:
			brighter++
		case v < 118:
			darker++
		default:
			continue
		}
		box = [4]int{min(box[0], i%w), min(box[1], i/w), max(box[2], i%w+1), max(box[3], i/w+1)}
	}
	return box, brighter, darker
}

func TestPersonWalks(t *testing.T) {
	const spec = "person:from=1,to=6,height=0.5,y=0.9"
	last := -1
	for ms := 1600; ms < 5400; ms += 100 {
		box, brighter, darker := walk(t, spec, time.Duration(ms)*time.Millisecond)
		near(t, "height in samples", float64(box[3]-box[1]), 120, 6)
		near(t, "row of the lower foot", float64(box[3]), 216, 3)
		if brighter < 300 || darker < 300 {
			t.Errorf("at %d ms %d samples are brighter and %d darker, want clothes of both", ms, brighter, darker)
		}
		middle := (box[0] + box[2]) / 2
		if middle < last-8 { // arms and legs swing around it
			t.Errorf("at %d ms the person is at %d and was at %d", ms, middle, last)
		}
		last = middle
	}
	if last < 250 {
		t.Errorf("in the end the person is at %d of 320", last)
	}
	for _, ms := range []int{0, 999, 6000, 9000} {
		if box, n, m := walk(t, spec, time.Duration(ms)*time.Millisecond); n+m > 0 {
			t.Errorf("at %d ms somebody is at %v", ms, box)
		}
	}
	for _, ms := range []int{1150, 5650} { // it is to be seen soon after from and until shortly before to
		if _, n, m := walk(t, spec, time.Duration(ms)*time.Millisecond); n+m == 0 {
			t.Errorf("at %d ms nobody is there", ms)
		}
	}
	right, _, _ := walk(t, spec, 2*time.Second)
	left, _, _ := walk(t, spec+",dir=-1", 2*time.Second)
	if right[2] > 160 || left[0] < 160 {
		t.Errorf("after a fifth of the way the one to the right is at %v and the one to the left at %v", right, left)
	}
}

// The contrast is the ratio of the light of clothes and scene, and two persons of other seeds are clothed otherwise.
func TestPersonContrast(t *testing.T) {
	strength := func(spec string) (d float64) {
		for _, v := range apply(t, spec, flat(320, 240, 120), 0, 3*time.Second).Pix {
			d = max(d, math.Abs(math.Log2(light(v)/light(120))))
		}
		return d
	}
	none, some, much := strength("person:from=1,contrast=0"), strength("person:from=1,contrast=0.3"), strength("person:from=1,contrast=2")
	if none > 0.5 || some <= none || much < 1.2 || much <= some {
		t.Errorf("clothes differ by %.2f, %.2f and %.2f EV at contrasts of 0, 0.3 and 2", none, some, much)
	}
}

// While a foot stands it does not slide: that is what makes the swing a walk.
func TestFeetStand(t *testing.T) {
	w := &walker{ahead: 1}
	const tall, step = 256 * 100, 256 // of the way, in 1/256 sample
	slid, gone := 0.0, 0.0
	for x := int64(0); x < tall*2; x += step {
		phase := func(x int64) int64 { return x * one / (tall * stride / 1000) }
		a, b := w.body(x, 0, tall, phase(x)), w.body(x+step, 0, tall, phase(x+step))
		// Of the shoes, 5 and 8, the one that gets on less stands.
		slid += min(math.Abs(float64(b[5].x-a[5].x)), math.Abs(float64(b[8].x-a[8].x)))
		gone += step
	}
	if slid > gone/4 {
		t.Errorf("the standing foot slides %.2f of the way", slid/gone)
	}
	if slid == 0 {
		t.Error("the feet do not move at all")
	}
}

func TestPersonInTheDark(t *testing.T) {
	p := motion.Plane{Pix: make([]byte, 64*48), Stride: 64, W: 64, H: 48}
	apply(t, "person:from=0,to=2", p, 0, time.Second)
	for _, v := range p.Pix {
		if v > 0 {
			t.Fatalf("a person in no light at all has a luma of %d", v)
		}
	}
}
