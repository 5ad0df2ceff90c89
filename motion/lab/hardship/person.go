// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"errors"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

var personKind = kind{
	name: "person",
	doc: "somebody walks through the picture from one side to the other: head, trunk, arms and legs in the proportions of " +
		"Drillis and Contini (1966), seen from the side; arms and thighs swing evenly, knees bend while a leg swings, " +
		"and a stride is as long as the legs make it; textured clothes, some lighter and some darker than the mean of the " +
		"scene; no shadow, no face, nothing in front, no perspective",
	params: []param{
		{"from", 3, 0, 3600, "when the first of it is to be seen, in seconds"},
		{"to", 8, 0, 3600, "when the last of it is to be seen, in seconds"},
		{"height", 0.5, 0.02, 2, "how tall, in heights of the picture"},
		{"y", 0.95, 0, 2, "where it sets its feet, in heights of the picture"},
		{"contrast", 1, 0, 8, "light clothes have 1+contrast times the mean light of the scene, dark ones that part of it"},
		{"dir", 1, -1, 1, "walks to the left if less than 0, else to the right"},
		seedParam,
	},
	build: func(v values) (Effect, error) {
		w := &walker{
			values: v, from: seconds(v.get("from")), to: seconds(v.get("to")), height: v.q16("height"), y: v.q16("y"),
			contrast: v.q16("contrast"), ahead: 1, base: v.seed(),
		}
		if v.get("dir") < 0 {
			w.ahead = -1
		}
		if w.to <= w.from {
			return nil, errors.New("to must be later than from")
		}
		return w, nil
	},
}

// Lengths of the body in thousandths of its height, and angles in 1/65536 turn.
const (
	thigh, shin, ankle, foot    = 245, 246, 39, 110
	trunk, neck, skull          = 288, 117, 65 // hip to shoulder, shoulder to the middle of the head, its radius
	upperArm, forearm           = 186, 220
	thighR, shinR, footR        = 52, 36, 28
	trunkR, upperArmR, forearmR = 80, 32, 26
	leading, trailing           = 345, 290 // how far feet get from the hip
	stride                      = 830      // two steps of 2*(thigh+shin)*sin(legSwing)

	legSwing, kneeBend, armSwing, elbowBend = one * 25 / 360, one * 65 / 360, one * 22 / 360, one * 20 / 360
)

// walker is a Truth.
type walker struct {
	values
	from, to            time.Duration
	height, y, contrast int64
	ahead               int64 // 1 to the right, -1 to the left
	base                uint64
}

// Interval implements Truth.
func (w *walker) Interval() (from, to time.Duration) { return w.from, w.to }

// limb is a part of the body and the cloth on it.
type limb struct {
	capsule
	cloth int
}

// Cloths, each with a light of its own.
const (
	coat = iota
	sleeve
	trousers
	shoes
	skin
	cloths
)

func (w *walker) Apply(p motion.Plane, _ int, pts time.Duration) {
	if p.W <= 0 || p.H <= 0 || pts < w.from || pts >= w.to {
		return
	}
	tall := max(w.height*int64(p.H)>>8, 256)
	way := int64(p.W)*256 + tall*(leading+trailing)/1000
	gone := way * (int64(pts-w.from) * one / int64(w.to-w.from)) >> 16
	x := gone - tall*leading/1000
	if w.ahead < 0 {
		x = int64(p.W)*256 - x
	}
	light := w.lights(p)
	phase := one/4 + gone*one/(tall*stride/1000) // the first to come in is a foot
	for _, l := range w.body(x, w.y*int64(p.H)>>8, tall, phase) {
		w.dress(p, l, light[l.cloth], x, tall)
	}
}

// lights returns the linear light of the cloths. Which of coat and trousers is the lighter one is up to the seed.
func (w *walker) lights(p motion.Plane) (light [cloths]int64) {
	t := curve()
	sum := int64(0)
	for y := range p.H {
		for _, v := range row(p, y) {
			sum += int64(t.lin[v])
		}
	}
	mean := sum / (int64(p.W) * int64(p.H))
	bright, dark := mean*(one+w.contrast)>>16, mean*one/(one+w.contrast)
	if w.base&1 == 1 {
		bright, dark = dark, bright
	}
	light = [cloths]int64{coat: bright, sleeve: (3*bright + mean) / 4, trousers: dark, shoes: dark * 3 / 4, skin: (mean + max(bright, dark)) / 2}
	return light
}

// body returns the limbs, the farthest first, of one whose hip is over x and who sets the feet on ground.
func (w *walker) body(x, ground, tall, phase int64) [14]limb {
	size := func(n int64) int64 { return max(tall*n/1000, 32) }
	// bone is a limb that hangs from x, y at an angle forward.
	bone := func(x, y, length, radius, angle int64, cloth int) limb {
		dx, dy := w.ahead*length*sin(angle)>>16, length*sin(angle+one/4)>>16
		return limb{capsule{x, y, dx, dy, size(radius)}, cloth}
	}
	end := func(l limb) (x, y int64) { return l.x + l.dx, l.y + l.dy }
	leg := func(x, y, phase int64) (upper, lower, shoe limb) {
		angle := legSwing * swing(phase) >> 16
		upper = bone(x, y, size(thigh), thighR, angle, trousers)
		kx, ky := end(upper)
		lower = bone(kx, ky, size(shin), shinR, angle-kneeBend*max(sin(phase+one/4), 0)>>16, trousers)
		ax, ay := end(lower)
		shoe = bone(ax, ay+size(ankle-footR), size(foot), footR, one/4, shoes)
		return upper, lower, shoe
	}
	arm := func(x, y, phase int64) (upper, lower, hand limb) {
		angle := armSwing * swing(phase) >> 16
		upper = bone(x, y, size(upperArm), upperArmR, angle, sleeve)
		ex, ey := end(upper)
		lower = bone(ex, ey, size(forearm), forearmR, angle+elbowBend, sleeve)
		hx, hy := end(lower)
		return upper, lower, limb{capsule{hx, hy, 0, 0, size(forearmR)}, skin}
	}
	carrying := phase // the leg that goes backwards
	if sin(phase+one/4) > 0 {
		carrying += one / 2
	}
	_, _, shoe := leg(0, 0, carrying)
	hip := ground - shoe.y - size(footR)
	shoulder := hip - size(trunk)

	var b [14]limb
	b[0], b[1], b[2] = arm(x, shoulder, phase)
	b[3], b[4], b[5] = leg(x, hip, phase+one/2)
	b[6], b[7], b[8] = leg(x, hip, phase)
	b[9] = limb{capsule{x, shoulder + size(30), 0, hip - shoulder, size(trunkR)}, coat}
	b[10] = limb{capsule{x, shoulder - size(neck), 0, 0, size(skull)}, skin}
	b[11], b[12], b[13] = arm(x, shoulder, phase+one/2)
	return b
}

// swing goes to and fro as evenly as a leg that carries somebody: the first two terms of a triangle's Fourier series.
func swing(phase int64) int64 { return (sin(phase) - sin(3*phase)/9) * 9 / 10 }

// dress draws a limb. Its cloth goes along with the body, and has folds of a twentieth of its height.
func (w *walker) dress(p motion.Plane, l limb, light, x, tall int64) {
	t := curve()
	fold := max(tall/20, 64)
	depth := light * min(w.contrast, one) >> 16 / 3
	x0, y0, x1, y1 := l.bounds(p.W, p.H)
	for j := y0; j < y1; j++ {
		line := row(p, j)
		for i := x0; i < x1; i++ {
			sx, sy := int64(i)*256+128, int64(j)*256+128
			cover := l.cover(sx, sy)
			if cover == 0 {
				continue
			}
			weave := lattice(w.base+uint64(l.cloth), (sx-x)*one/fold, sy*one/fold, 0)
			cloth := min(light+depth*weave>>16, white)
			lin := int64(t.lin[line[i]])
			line[i] = t.code(lin + (cloth-lin)*cover>>8)
		}
	}
}
