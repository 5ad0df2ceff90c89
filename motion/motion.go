// SPDX-License-Identifier: Apache-2.0

// Package motion tells whether something moves before a camera that stands still. Start with [DefaultConfig], [New],
// and [Detector.Process] for each frame. docs/motion.md says how it decides, and how well.
//
// The picture is compared with a background in blocks of 8x8 samples, and the background follows the picture in
// steps of one level (a sigma-delta estimate, see Manzanera and Richefeu, "A new motion detection algorithm based on
// Σ-Δ background estimation", 2007) except behind what moves. Light scales what it falls on, so a block that is the
// background times a gain is lit or in shadow; a block that no gain explains has something in it. Such blocks that
// touch make a region, and a region that goes somewhere makes motion. What then stops becomes background.
//
// All arithmetic on the picture is in integers, and the assembly (AVX2, SSE2, NEON; none with the tag purego) gives the
// bits of the plain Go beside it: the same frames give the same results on every processor.
package motion

import (
	"fmt"
	"time"
)

// Reasons, the values of Result.Why.
const (
	Learning = "learning" // the background is not known yet
	Quiet    = "quiet"    // nothing moves
	Light    = "light"    // nothing moves, but the light changed
	Maybe    = "maybe"    // something moves, in too few frames so far
	Moving   = "motion"   // something moves
	Ending   = "ending"   // something moved a moment ago
	Still    = "still"    // something is there, and does not move: put down, or the ghost of what left
)

// Box is a part of the picture, in shares of its width and height from the upper left, 0 to 1.
type Box struct{ X0, Y0, X1, Y1 float64 }

// Result is what the detector makes of one frame. The slices belong to the detector and are valid until the next call
// of Process.
type Result struct {
	Motion bool
	// Onset is the PTS of the first frame that showed this motion, before Motion could be told. Valid while Motion.
	Onset time.Duration
	// Score is the share of the blocks that move, each weighed by how much of it differs: 0 to 1.
	Score float64
	// Boxes are around the regions that move, at most 16, the largest first. There may be none while Motion.
	Boxes []Box
	// Zones are the names of the include zones with something moving in them, in the order of Config.
	Zones []string
	// Tamper says what somebody does to the camera: a kind of this package, or nothing.
	Tamper string
	// Why is one of this package's reasons, or a kind of tampering: the rule that decided.
	Why string
}

// maxSize bounds each edge of the picture.
const maxSize = 1 << 14

// Detector watches one camera. One goroutine may use it.
type Detector struct {
	cfg     Config
	w, h    int // of the pictures that come in
	scale   int // samples of the picture to one of the grid, along an edge
	small   Plane
	grid    grid
	zones   zoneMap
	counted int // blocks that zones count
	active  int // blocks that are strong in this frame

	bg, former Plane // the background, and the one before the last absorption
	prev       Plane // the picture some 0.1 s ago, where it differs from the background
	kept       time.Duration
	forgot     time.Duration
	stepped    [2]time.Duration // when the background's even and odd rows last stepped

	out    []sums
	blocks []block
	limit  []uint8
	follow []uint8
	base   base
	find   finder
	tracks tracks
	light  light
	mount  mount
	tamper tamper

	exposure          float64 // the last one hinted, or 0
	hinted, switching bool    // of the next frame

	started bool
	start   time.Duration // PTS of the first frame

	moving  bool
	onset   time.Duration
	last    time.Duration // PTS of the last frame that kept the motion alive
	boxes   []Box
	touched []string
}

// New returns a detector for pictures of width by height samples, each from 1 to 16384.
func New(cfg Config, width, height int) (*Detector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("motion detector: %w", err)
	}
	if width < 1 || height < 1 || width > maxSize || height > maxSize {
		return nil, fmt.Errorf("motion detector: picture is %dx%d, each edge must be 1 to %d", width, height, maxSize)
	}
	k := scale(width, height)
	w, h := width/k, height/k
	g := newGrid(w, h)
	n := g.blocks()
	d := &Detector{
		cfg: cfg, w: width, h: height, scale: k, grid: g, zones: newZoneMap(g, cfg),
		bg: newPlane(w, h), former: newPlane(w, h), prev: newPlane(w, h),
		out: make([]sums, n), blocks: make([]block, n), limit: make([]uint8, n), follow: make([]uint8, n),
		base: newBase(g), find: newFinder(g),
		boxes: make([]Box, 0, maxBoxes), touched: make([]string, 0, len(cfg.Zones)),
	}
	if k > 1 {
		d.small = newPlane(w, h)
	}
	for _, weight := range d.zones.weight {
		if weight > 0 {
			d.counted++
		}
	}
	return d, nil
}

// maxSamples bounds the picture that the rules look at. A person fills the same number of blocks in any film then, and
// the mean of several samples has less noise than one.
const maxSamples = 380 * 288

// scale returns by how much a picture is shrunk along each edge: 1, 2 or 4.
func scale(w, h int) int {
	k := 1
	for k < 4 && w*h > maxSamples*k*k {
		k *= 2
	}
	return k
}

// Process judges the next frame. Its size is that of New, or Process panics; pts must not fall. Process only reads p,
// keeps nothing of it, and does not allocate.
func (d *Detector) Process(p Plane, pts time.Duration) Result {
	if !p.holds(d.w, d.h) {
		panic(fmt.Sprintf("motion: plane of %dx%d with stride %d and %d bytes, want %dx%d",
			p.W, p.H, p.Stride, len(p.Pix), d.w, d.h))
	}
	if d.scale > 1 {
		shrink(d.small, p, d.scale)
		p = d.small
	}
	if !d.started {
		d.begin(p, pts)
	}
	keep := pts-d.kept >= keepEvery
	if keep {
		d.kept = pts
	}
	learning := pts-d.start < d.cfg.Learn
	rows := d.pace(pts)
	d.enable(rows, pts)
	diff(d.grid, p, d.bg, d.limit, d.follow, rows, d.out)

	d.base.refresh(d.grid, d.bg)
	d.light.measure(d.out, d.grid, d.base.mean(), d.cfg.LightShare, pts)
	if d.hinted || d.switching {
		d.light.expect(d.switching, pts)
		d.hinted, d.switching = false, false
	}
	d.mount.follow(d, p)
	d.tamper.look(p, pts)
	d.judge(p, pts, keep, rows&1 != 0, learning || pts < d.light.cut)
	if learning {
		return Result{Why: Learning, Tamper: d.tamper.kind(pts)}
	}
	d.turned(p, pts)
	least := max(minBlocks, int(d.cfg.MinArea*float64(d.grid.blocks())))
	start, stay := d.regions(p, least, pts)
	d.decide(start, stay, pts)
	return d.result(pts)
}

// begin takes the first frame for the background.
func (d *Detector) begin(p Plane, pts time.Duration) {
	d.started, d.start, d.kept, d.forgot = true, pts, pts, pts
	d.tamper = tamper{same: pts, lit: pts, turned: pts}
	d.light = light{until: pts, dark: pts - cutWithin - 1, cut: pts, rest: pts}
	d.stepped = [2]time.Duration{pts, pts - stepEvery/2} // so that they take turns
	for y := range d.grid.h {
		row := p.row(y, 0, d.grid.w)
		copy(d.bg.row(y, 0, d.grid.w), row)
		copy(d.former.row(y, 0, d.grid.w), row)
	}
	d.base.fill(d.grid, d.bg)
	for b := range d.blocks {
		d.blocks[b] = block{noise: startNoise, still: pts}
	}
}

// decide begins motion with a region that the tracks confirm, and ends it when Off went by without one that
// they know.
func (d *Detector) decide(start *track, stay bool, pts time.Duration) {
	switch {
	case d.moving && (stay || start != nil):
		d.last = pts
	case d.moving && pts-d.last >= d.cfg.Off:
		d.moving = false
	case !d.moving && start != nil:
		d.moving, d.last, d.onset = true, pts, start.woke
	}
}

// result describes the frame after decide.
func (d *Detector) result(pts time.Duration) Result {
	r := Result{Motion: d.moving, Why: Quiet, Tamper: d.tamper.kind(pts)}
	active := d.find.area > 0
	switch {
	case d.moving && active:
		r.Why = Moving
	case d.moving:
		r.Why = Ending
	case active:
		r.Why = Maybe
	case r.Tamper != "":
		r.Why = r.Tamper
	case d.light.on:
		r.Why = Light
	case d.find.still:
		r.Why = Still
	}
	if d.moving {
		r.Onset = d.onset
	}
	if active {
		d.boxes = d.find.boxes(d.boxes[:0], float64(d.scale)/float64(d.w), float64(d.scale)/float64(d.h))
		d.touched = d.find.zones(d.touched[:0], d.zones.member, d.cfg.Zones)
		r.Score = float64(d.find.weight) / float64(side*side*d.grid.blocks())
		r.Boxes, r.Zones = d.boxes, d.touched
	}
	return r
}
