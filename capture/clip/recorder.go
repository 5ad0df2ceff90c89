// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/motion"
)

// segment is a span of frames that is to be recorded: from cursor, which the recorder advances, to end.
type segment struct {
	cursor uint64
	end    uint64 // number behind its last frame; 0 while it goes on
	onset  time.Duration
	lost   Loss // frames dropped before they were encoded, not declared yet
}

// over says that none of its frames is left to record.
func (s *segment) over() bool { return s.end != 0 && s.cursor >= s.end }

// Recorder decides what is recorded, and records it. Push and Finish are the frame path's; Run is the recorder's own task.
type Recorder struct {
	cfg    Config
	format capture.Format
	encode NewEncoder
	sink   Sink
	log    *slog.Logger
	ready  chan struct{}
	done   chan struct{}
	stop   chan struct{} // closed by Finish

	mu         sync.Mutex
	change     sync.Cond // of anything below
	ring       ring
	segments   []*segment    // what is not recorded yet; the last one may go on
	lastMotion time.Duration // PTS, of the open segment
	finished   bool          // no more frames come
}

// NewRecorder makes a recorder for frames of one format.
func NewRecorder(cfg Config, format capture.Format, encode NewEncoder, sink Sink, log *slog.Logger) *Recorder {
	r := &Recorder{cfg: cfg, format: format, encode: encode, sink: sink, log: log,
		ready: make(chan struct{}), done: make(chan struct{}), stop: make(chan struct{})}
	r.change.L = &r.mu
	return r
}

// String names the task.
func (r *Recorder) String() string { return "recorder" }

// Ready is closed when Run begins.
func (r *Recorder) Ready() <-chan struct{} { return r.ready }

// Done is closed when Run has returned: everything is recorded or declared.
func (r *Recorder) Done() <-chan struct{} { return r.done }

// Push adds a frame, which it keeps, with what the detector said of it. It never waits, unless the config is lossless and
// the ring is full. It allocates nothing once the ring has its size. One goroutine pushes.
func (r *Recorder) Push(f *capture.Frame, res motion.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.cfg.Lossless && r.ring.bytes+f.Bytes() > r.cfg.RingBytes && r.needed() == r.ring.first && r.ring.len() > 0 && !r.finished {
		r.change.Wait()
	}
	if r.finished {
		return // also after the wait: Run releases the ring only once
	}
	kept, ok := f.Keep()
	if !ok {
		return // the gap in the numbers says so with the next frame
	}
	r.ring.push(kept, res)
	r.makeRoom() // before the trigger: what a small ring drops while nothing is recorded is no loss
	r.trigger(f.PTS, res)
	r.change.Broadcast()
}

// trigger opens, extends or ends a segment by the newest frame.
func (r *Recorder) trigger(pts time.Duration, res motion.Result) {
	open := r.open()
	switch {
	case res.Motion && open == nil:
		r.begins(res.Onset)
		r.lastMotion = pts
	case res.Motion:
		r.lastMotion = pts
	case open != nil && pts-r.lastMotion > r.cfg.PostRoll:
		open.end = r.ring.end - 1 // without the newest, which may come long after a stall
	}
}

// maxSegments bounds how many segments wait. Only a recorder that hangs gets so far behind.
const maxSegments = 16

// begins opens a segment; when too many wait already, the last of them goes on in its place, with what lies between.
func (r *Recorder) begins(onset time.Duration) {
	start := r.ring.from(onset - r.cfg.PreRoll - r.cfg.Margin)
	if len(r.segments) < maxSegments {
		r.segments = append(r.segments, &segment{cursor: start, onset: onset})
		return
	}
	last := r.segments[maxSegments-1]
	if last.over() {
		last.cursor = max(last.end, start) // the ring may have dropped what lies between
	}
	last.end = 0
}

// open returns the segment that goes on, or nil.
func (r *Recorder) open() *segment {
	if n := len(r.segments); n > 0 && r.segments[n-1].end == 0 {
		return r.segments[n-1]
	}
	return nil
}

// needed is the number of the oldest frame that is yet to be recorded; that of the next frame if none is.
func (r *Recorder) needed() uint64 {
	n := r.ring.end
	for _, s := range r.segments {
		if !s.over() {
			n = min(n, s.cursor)
		}
	}
	return n
}

// makeRoom drops frames that are recorded, or not to be, and older than the pre-roll; and, over the bound, any.
func (r *Recorder) makeRoom() {
	newest := r.ring.slot(r.ring.end - 1).frame.PTS
	for r.ring.len() > 1 {
		oldest := r.ring.slot(r.ring.first)
		full := r.ring.bytes > r.cfg.RingBytes
		if needed := r.needed() == r.ring.first; !full && (needed || newest-oldest.frame.PTS <= r.cfg.keep()) {
			return
		}
		r.lose(oldest)
		r.ring.pop()
	}
}

// lose counts the oldest frame in each segment that still needed it.
func (r *Recorder) lose(it *item) {
	for _, s := range r.segments {
		if s.cursor != r.ring.first || s.over() {
			continue
		}
		s.cursor++
		s.lost.add(it.frame.Wall)
		s.lost.Frames += it.missed
	}
}

// Gap says that frames are missing from here on: a clip that is being recorded ends with the newest frame, in good order. The
// goroutine that pushes calls it, or one that knows that it does not push now.
func (r *Recorder) Gap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.open(); s != nil {
		s.end = r.ring.end
	}
	r.change.Broadcast()
}

// Finish says that no more frames come: Run ends when what moves now is recorded. Any goroutine may call it, also again.
func (r *Recorder) Finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished {
		return
	}
	r.finished = true
	close(r.stop)
	if s := r.open(); s != nil {
		s.end = r.ring.end
	}
	r.change.Broadcast()
}

// Run records until Finish was called, or ctx ends, which is the same: the clip that is open is closed in good order. All
// frames are released when it returns. It always returns nil: what cannot be recorded is declared, and the rest of the motion
// is tried again after a pause, or given up when no more frames come.
func (r *Recorder) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, r.Finish)()
	defer close(r.done)
	close(r.ready)
	pause := firstPause
	for {
		s := r.next()
		if s == nil {
			break
		}
		if err := r.record(s); err != nil {
			r.log.Error("clip could not be recorded", "err", err)
			if r.isFinished() {
				r.giveUp(s, reason(err))
				continue
			}
			r.sleep(pause)
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.ring.len() > 0 {
		r.ring.pop()
	}
	return nil
}

// Pauses after a failure, before the rest of the motion is tried.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

func (r *Recorder) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.stop:
	}
}

func (r *Recorder) isFinished() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.finished
}

// next waits for a segment with frames; nil means that there will be none.
func (r *Recorder) next() *segment {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for len(r.segments) > 0 && r.segments[0].over() && r.segments[0].lost.Frames == 0 {
			r.segments = r.segments[1:]
		}
		if len(r.segments) > 0 {
			return r.segments[0]
		}
		if r.finished {
			return nil
		}
		r.change.Wait()
	}
}

// take returns the segment's next frame, which the caller releases, and what was dropped in front of it. It waits for
// frames; false means that the segment is over.
func (r *Recorder) take(s *segment) (item, Loss, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s.end == 0 && s.cursor >= r.ring.end {
		r.change.Wait()
	}
	lost := s.lost
	s.lost = Loss{}
	if s.over() {
		return item{}, lost, false
	}
	it := r.ring.copyOf(s.cursor)
	s.cursor++
	r.change.Broadcast()
	return it, lost, true
}

// giveUp declares what is left of a segment that has ended.
func (r *Recorder) giveUp(s *segment, reason string) {
	r.mu.Lock()
	lost := s.lost
	s.lost = Loss{}
	for ; !s.over(); s.cursor++ {
		lost.add(r.ring.slot(s.cursor).frame.Wall)
	}
	r.mu.Unlock()
	if lost.Frames > 0 {
		lost.Reason = reason
		r.sink.Lost(lost)
	}
}
