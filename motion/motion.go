// SPDX-License-Identifier: Apache-2.0

// Package motion tells whether something moves before a camera that stands still. Start with [DefaultConfig], [New],
// and [Detector.Process] for each frame.
//
// The picture is compared with a background in blocks of 8x8 samples, and the background follows the picture in
// steps of one level (a sigma-delta estimate, see Manzanera and Richefeu, "A new motion detection algorithm based on
// Σ-Δ background estimation", 2007) except behind what moves. Light scales what it falls on, so a block that is the
// background times a gain is lit or in shadow; a block that no gain explains has something in it. Such blocks that
// touch make a region, and regions in enough frames make motion. What then stops becomes background.
//
// All arithmetic on the picture is in integers: the same frames give the same results on every processor.
package motion

import (
	"fmt"
	"math/bits"
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
	// Why is one of this package's reasons.
	Why string
}

// maxSize bounds each edge of the picture.
const maxSize = 1 << 14

// Detector watches one camera. One goroutine may use it.
type Detector struct {
	cfg   Config
	grid  grid
	zones zoneMap

	bg, former Plane // the background, and the one before the last absorption
	prev       Plane // the picture some 0.1 s ago
	kept       time.Duration
	stepped    time.Duration

	out    []sums
	blocks []block
	limit  []uint8
	update []uint8
	find   finder
	light  light

	started bool
	start   time.Duration // PTS of the first frame

	recent  uint64 // the last Window frames, newest lowest: has the frame a region?
	times   []time.Duration
	frame   int
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
	g := newGrid(width, height)
	n := g.blocks()
	d := &Detector{
		cfg: cfg, grid: g, zones: newZoneMap(g, cfg),
		bg: newPlane(width, height), former: newPlane(width, height), prev: newPlane(width, height),
		out: make([]sums, n), blocks: make([]block, n), limit: make([]uint8, n), update: make([]uint8, n),
		find:  newFinder(g),
		times: make([]time.Duration, cfg.Window),
		boxes: make([]Box, 0, maxBoxes), touched: make([]string, 0, len(cfg.Zones)),
	}
	return d, nil
}

// Process judges the next frame. Its size is that of New, or Process panics; pts must not fall. Process only reads p,
// keeps nothing of it, and does not allocate.
func (d *Detector) Process(p Plane, pts time.Duration) Result {
	if !p.holds(d.grid.w, d.grid.h) {
		panic(fmt.Sprintf("motion: plane of %dx%d with stride %d and %d bytes, want %dx%d",
			p.W, p.H, p.Stride, len(p.Pix), d.grid.w, d.grid.h))
	}
	if !d.started {
		d.begin(p, pts)
	}
	keep, step := pts-d.kept >= keepEvery, pts-d.stepped >= stepEvery
	if keep {
		d.kept = pts
	}
	d.enable(step, pts)
	diff(d.grid, p, d.bg, d.prev, d.limit, d.update, keep, d.out)

	learning := pts-d.start < d.cfg.Learn
	d.light.measure(d.out, d.grid, d.cfg.LightShare, pts)
	d.judge(p, pts, step, learning)
	if learning {
		return Result{Why: Learning}
	}
	least := max(2, int(d.cfg.MinArea*float64(d.grid.blocks())))
	strong := d.regions(p, least, pts)
	d.decide(strong, d.find.area > 0, pts)
	return d.result()
}

// begin takes the first frame for the background.
func (d *Detector) begin(p Plane, pts time.Duration) {
	d.started, d.start, d.kept, d.stepped = true, pts, pts, pts
	for y := range d.grid.h {
		row := p.row(y, 0, d.grid.w)
		copy(d.bg.row(y, 0, d.grid.w), row)
		copy(d.former.row(y, 0, d.grid.w), row)
		copy(d.prev.row(y, 0, d.grid.w), row)
	}
	for b := range d.blocks {
		d.blocks[b] = block{noise: startNoise, still: pts}
	}
}

// decide is the hysteresis: motion begins when Confirm of the last Window frames had a strong region, and ends when Off
// went by without even a weak one.
func (d *Detector) decide(strong, weak bool, pts time.Duration) {
	d.recent <<= 1
	d.times[d.frame%d.cfg.Window] = pts
	d.frame++
	if strong {
		d.recent |= 1
	}
	d.recent &= 1<<d.cfg.Window - 1
	switch {
	case d.moving && weak:
		d.last = pts
	case d.moving && pts-d.last >= d.cfg.Off:
		d.moving = false
		d.recent = 0
	case !d.moving && bits.OnesCount64(d.recent) >= d.cfg.Confirm:
		oldest := bits.Len64(d.recent) // 1 is the present frame
		d.moving, d.last, d.onset = true, pts, d.times[(d.frame-oldest)%d.cfg.Window]
	}
}

// result describes the frame after decide.
func (d *Detector) result() Result {
	r := Result{Motion: d.moving, Why: Quiet}
	active := d.find.area > 0
	switch {
	case d.moving && active:
		r.Why = Moving
	case d.moving:
		r.Why = Ending
	case active:
		r.Why = Maybe
	case d.light.on:
		r.Why = Light
	}
	if d.moving {
		r.Onset = d.onset
	}
	if active {
		d.boxes = d.find.boxes(d.boxes[:0])
		d.touched = d.find.zones(d.touched[:0], d.zones.member, d.cfg.Zones)
		r.Score = float64(d.find.weight) / float64(side*side*d.grid.blocks())
		r.Boxes, r.Zones = d.boxes, d.touched
	}
	return r
}
