// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"encoding/binary"
	"time"
)

// Kinds of tampering, the values of Result.Tamper.
const (
	Black  = "black"  // the lens is covered, or there is no light at all
	Frozen = "frozen" // the same picture again and again, to the last bit: no sensor does that
	Moved  = "moved"  // the camera looks elsewhere; one that looks at a much brighter or darker place counts as light
)

const (
	blackAfter  = 2 * time.Second
	frozenAfter = 10 * time.Second
	movedAfter  = 500 * time.Millisecond
	movedFor    = 2 * time.Second // it is reported for so long

	blackMean  = 24 // 16 is black in video range
	lookEvery  = 16 // rows
	movedShare = 2  // one in so many blocks differs when the camera was turned
)

// tamper watches for what a burglar does to a camera.
type tamper struct {
	hash   uint64
	same   time.Duration // PTS of the first frame with this hash
	lit    time.Duration // PTS of the last frame that was not black
	turned time.Duration // until when the camera counts as turned
}

// look takes a sample of the picture: one in so many rows.
func (t *tamper) look(p Plane, pts time.Duration) {
	const (
		prime = 0x9e3779b97f4a7c15
		low   = 0x00ff00ff00ff00ff
	)
	hash, sum, bits, n := uint64(1), uint64(0), uint64(0), 0
	for y := p.H / 2 % lookEvery; y < p.H; y += lookEvery {
		row := p.row(y, 0, p.W&^7)
		part := uint64(0)
		for k := 0; len(row) >= 8; k++ {
			w := binary.LittleEndian.Uint64(row)
			row = row[8:]
			hash = (hash ^ w) * prime
			bits |= w
			part += w&low + w>>8&low
			if k&63 == 63 { // 16 bits hold 128 samples of 255
				sum += quarters(part)
				part = 0
			}
		}
		sum += quarters(part)
		n += p.W &^ 7
	}
	if n == 0 || hash != t.hash {
		t.hash, t.same = hash, pts
	}
	if n == 0 || bits&0xc0c0c0c0c0c0c0c0 != 0 || sum >= uint64(n)*blackMean {
		t.lit = pts
	}
}

// quarters adds up four numbers of 16 bits.
func quarters(v uint64) uint64 {
	return v&0xffff + v>>16&0xffff + v>>32&0xffff + v>>48
}

// kind tells what is wrong, or nothing.
func (t *tamper) kind(pts time.Duration) string {
	switch {
	case pts-t.lit >= blackAfter:
		return Black
	case pts-t.same >= frozenAfter:
		return Frozen
	case pts < t.turned:
		return Moved
	}
	return ""
}

// turned takes the picture for the background when the better part of it differs, and stays as it is: the camera looks
// elsewhere, or the infrared filter went. While the light changes it is the light.
func (d *Detector) turned(p Plane, pts time.Duration) {
	if d.active == 0 || d.active*movedShare < d.counted {
		return
	}
	strong, calm := 0, 0
	for i := range d.blocks {
		b := &d.blocks[i]
		if b.level != levelStrong {
			continue
		}
		strong++
		if pts-max(b.still, b.since) >= movedAfter {
			calm++
		}
	}
	if strong*movedShare < d.counted || calm*5 < strong*4 {
		return
	}
	if !d.light.on {
		d.tamper.turned = pts + movedFor
	}
	for i := range d.blocks {
		if d.blocks[i].level != levelNone {
			d.absorb(p, i, pts)
		}
	}
}
