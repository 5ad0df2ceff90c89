// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math/bits"
	"time"
)

const (
	maxTracks    = 32
	stroll       = 16                     // 1/16 blocks by which the middle of a region must move to be motion
	confirmAfter = 180 * time.Millisecond // drops and flakes are gone by then
	persistent   = 2 * time.Second        // or it must stay for so long
)

// track is a region through time.
type track struct {
	x0, y0, x1, y1 int    // in blocks, of the last frame that had it
	hits           uint64 // of the last frames, newest lowest: did it have enough strong blocks?
	born           time.Duration
	woke           time.Duration // of the first strong frame after a window without one
	first          [2]int        // its middle when it was born, in 1/16 block
	now            [2]int
	far            int // how far it came, in 1/16 block
	haunt          haunt
	known          bool // it is motion
	seen           bool // in this frame
	// the box of this frame
	nx0, ny0, nx1, ny1 int
	strong             bool
}

// haunt is where a region goes to and fro.
type haunt struct {
	x0, y0, x1, y1 int // all of it
	w, h           int // the largest the region was
	since          time.Duration
}

// leeway is by how many blocks a haunt is larger than what haunts it.
const leeway = 3

// visit adds where the region is now. A region that gets farther begins another haunt.
func (h *haunt) visit(x0, y0, x1, y1 int, pts time.Duration) {
	h.x0, h.y0, h.x1, h.y1 = min(h.x0, x0), min(h.y0, y0), max(h.x1, x1), max(h.y1, y1)
	h.w, h.h = max(h.w, x1-x0), max(h.h, y1-y0)
	if h.w == 0 || h.x1-h.x0 > h.w+leeway || h.y1-h.y0 > h.h+leeway {
		*h = haunt{x0, y0, x1, y1, x1 - x0, y1 - y0, pts}
	}
}

// tracks are the regions of the last frames. What moves is about where it was in the frame before; rain is not.
type tracks struct {
	list [maxTracks]track
	n    int
}

func (t *tracks) begin() {
	for i := range t.list[:t.n] {
		t.list[i].seen, t.list[i].strong = false, false
	}
}

// match finds the track that r continues, or begins one if r is strong. It returns nil if there is none, and no
// room for one.
func (t *tracks) match(r region, strong bool, pts time.Duration) *track {
	var best *track
	most := 0
	for i := range t.list[:t.n] {
		k := &t.list[i]
		// It may have moved by half of its size.
		mx, my := max(1, (k.x1-k.x0)/2), max(1, (k.y1-k.y0)/2)
		w := min(r.x1, k.x1+mx) - max(r.x0, k.x0-mx)
		h := min(r.y1, k.y1+my) - max(r.y0, k.y0-my)
		if w > 0 && h > 0 && w*h > most {
			best, most = k, w*h
		}
	}
	if best == nil {
		if !strong || t.n == maxTracks {
			return nil
		}
		best = &t.list[t.n]
		t.n++
		*best = track{x0: r.x0, y0: r.y0, x1: r.x1, y1: r.y1, born: pts, first: [2]int{-1, -1}}
		best.haunt = haunt{r.x0, r.y0, r.x1, r.y1, r.x1 - r.x0, r.y1 - r.y0, pts}
	}
	if !best.seen {
		best.seen = true
		best.nx0, best.ny0, best.nx1, best.ny1 = r.x0, r.y0, r.x1, r.y1
	} else {
		best.nx0, best.ny0 = min(best.nx0, r.x0), min(best.ny0, r.y0)
		best.nx1, best.ny1 = max(best.nx1, r.x1), max(best.ny1, r.y1)
	}
	best.strong = best.strong || strong
	return best
}

// end takes note of the frame and forgets tracks that were not seen for a window. It returns one that begins to be
// motion: seen in enough frames, and moved.
func (t *tracks) end(c Config, pts time.Duration) (start *track) {
	kept := 0
	for i := range t.list[:t.n] {
		k := &t.list[i]
		if k.strong && k.hits == 0 {
			k.woke = pts
		}
		k.hits <<= 1
		if k.strong {
			k.hits |= 1
		}
		k.hits &= 1<<c.Window - 1
		if k.seen {
			k.x0, k.y0, k.x1, k.y1 = k.nx0, k.ny0, k.nx1, k.ny1
			k.now = [2]int{(k.x0 + k.x1) * 8, (k.y0 + k.y1) * 8}
			if k.first[0] < 0 {
				k.first = k.now
			}
			k.haunt.visit(k.x0, k.y0, k.x1, k.y1, pts)
			dx, dy := k.now[0]-k.first[0], k.now[1]-k.first[1]
			k.far = max(k.far, dx, -dx, dy, -dy)
		}
		if k.hits == 0 && !k.seen {
			continue
		}
		t.list[kept] = *k
		k = &t.list[kept]
		kept++
		if !k.known && bits.OnesCount64(k.hits) >= c.Confirm && pts-k.born >= confirmAfter && (k.far >= stroll || pts-k.born >= persistent) {
			k.known = true
		}
		if k.known && k.strong {
			start = k
		}
	}
	t.n = kept
	return start
}
