// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"math"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/motion"
)

// maxBoxes bounds what is kept of one frame's boxes.
const maxBoxes = 16

// item is a frame in the ring with what the detector said about it.
type item struct {
	frame  *capture.Frame
	missed int // frames that the source dropped in front of it
	motion bool
	score  float64
	why    string
	boxes  []motion.Box
	zones  []string
}

// ring holds items in order; each has a number that rises by one for ever. Slots are used again together with their slices,
// so that a warm ring allocates nothing. It is not safe for concurrent use.
type ring struct {
	slots []item // length is a power of two
	first uint64 // number of the oldest
	end   uint64 // number of the next
	bytes int64
	seq   uint64 // of the newest frame
}

func (r *ring) slot(n uint64) *item { return &r.slots[n&uint64(len(r.slots)-1)] }

func (r *ring) len() int { return int(r.end - r.first) }

// push adds a frame, whose reference it takes over, with a copy of the result.
func (r *ring) push(f *capture.Frame, res motion.Result) {
	if r.len() == len(r.slots) {
		r.grow()
	}
	s := r.slot(r.end)
	s.frame, s.motion, s.score, s.why = f, res.Motion, res.Score, res.Why
	s.missed = 0
	if r.end > 0 && f.Seq > r.seq {
		s.missed = int(min(f.Seq-r.seq-1, math.MaxInt32))
	}
	r.seq = f.Seq
	s.boxes = append(s.boxes[:0], res.Boxes[:min(len(res.Boxes), maxBoxes)]...)
	s.zones = append(s.zones[:0], res.Zones...)
	r.end++
	r.bytes += f.Bytes()
}

// pop drops the oldest item and releases its frame.
func (r *ring) pop() {
	s := r.slot(r.first)
	r.bytes -= s.frame.Bytes()
	s.frame.Release()
	s.frame = nil
	r.first++
}

func (r *ring) grow() {
	bigger := make([]item, max(64, 2*len(r.slots)))
	for n := r.first; n < r.end; n++ {
		bigger[n&uint64(len(bigger)-1)] = *r.slot(n)
	}
	r.slots = bigger
}

// from returns the number of the first frame at or after pts; the newest frame at the latest.
func (r *ring) from(pts time.Duration) uint64 {
	n := r.first
	for n+1 < r.end && r.slot(n).frame.PTS < pts {
		n++
	}
	return n
}

// copyOf returns an item that is the caller's own: its frame is retained, its slices are copied.
func (r *ring) copyOf(n uint64) item {
	it := *r.slot(n)
	it.frame.Retain()
	it.boxes = append([]motion.Box(nil), it.boxes...)
	it.zones = append([]string(nil), it.zones...)
	return it
}
