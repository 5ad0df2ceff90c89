// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/motion"
)

// idle returns a function that pushes one frame in which nothing moves enough; the recorder's ring is warm.
func idle(tb testing.TB) (push func(), r *Recorder, pool *capture.Pool) {
	tb.Helper()
	r = NewRecorder(shortConfig(), format, (&fakeEncoders{}).new, &fakeSink{}, quietLog)
	pool = capture.NewPool(width, height, 64)
	res := motion.Result{Score: 0.1, Boxes: make([]motion.Box, maxBoxes), Zones: []string{"door", "path"}, Why: motion.Maybe}
	seq := uint64(0)
	push = func() {
		f := newFrame(tb, pool, seq, time.Duration(seq)*interval)
		r.Push(f, res)
		f.Release()
		seq++
	}
	for range 200 {
		push()
	}
	return push, r, pool
}

func TestPushAllocatesNothing(t *testing.T) {
	push, _, _ := idle(t)
	if n := testing.AllocsPerRun(1000, push); n != 0 {
		t.Errorf("%g allocations for a frame", n)
	}
}

// While nothing moves the ring holds the time before motion, and not more.
func TestIdleRing(t *testing.T) {
	push, r, pool := idle(t)
	for range 1000 {
		push()
		held := pool.Frames() - pool.Free()
		if want := int(r.cfg.keep()/interval) + 1; r.ring.len() != want || held != want {
			t.Fatalf("%d frames in the ring, %d held; want %d", r.ring.len(), held, want)
		}
		if r.ring.bytes != int64(held)*frameBytes {
			t.Fatalf("%d bytes counted for %d frames", r.ring.bytes, held)
		}
	}
}

// What the detector reuses after Push has been copied, and no more of it than is bounded.
func TestRingCopiesTheResult(t *testing.T) {
	pool := capture.NewPool(width, height, 1)
	f := newFrame(t, pool, 0, 0)
	var r ring
	boxes, zones := make([]motion.Box, maxBoxes+5), []string{"door"}
	boxes[0].X1 = 0.5
	r.push(f.Retain(), motion.Result{Boxes: boxes, Zones: zones})
	boxes[0].X1, zones[0] = 0, "overwritten"
	it := r.copyOf(0)
	r.slot(0).boxes[0].X1, r.slot(0).zones[0] = 0, "overwritten"
	if len(it.boxes) != maxBoxes || it.boxes[0].X1 != 0.5 || it.zones[0] != "door" {
		t.Errorf("boxes %v, zones %v", it.boxes, it.zones)
	}
	it.frame.Release()
	r.pop()
	f.Release()
	if pool.Free() != 1 {
		t.Error("the frame is still held")
	}
}

// Numbers go on and items stay in their order while the ring grows and wraps around.
func TestRingGrows(t *testing.T) {
	pool := capture.NewPool(width, height, 300)
	var r ring
	push := func() {
		f := newFrame(t, pool, r.end, time.Duration(r.end)*interval)
		r.push(f.Retain(), motion.Result{})
		f.Release()
	}
	for range 50 {
		push()
	}
	for range 40 {
		r.pop()
	}
	for range 240 {
		push()
	}
	if r.len() != 250 || len(r.slots) != 256 {
		t.Errorf("%d frames in %d slots", r.len(), len(r.slots))
	}
	for n := r.first; n < r.end; n++ {
		if seq := r.slot(n).frame.Seq; seq != n {
			t.Fatalf("number %d is frame %d", n, seq)
		}
	}
	for _, c := range []struct {
		pts  time.Duration
		want uint64
	}{{-time.Hour, 40}, {4 * time.Second, 40}, {100 * interval, 100}, {100*interval + 1, 101}, {time.Hour, 289}} {
		if got := r.from(c.pts); got != c.want {
			t.Errorf("from %v: frame %d, want %d", c.pts, got, c.want)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	push, _, _ := idle(b)
	b.ReportAllocs()
	for b.Loop() {
		push()
	}
}
