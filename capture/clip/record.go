// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// film is one clip being made.
type film struct {
	rec     *Recorder
	encoder Encoder
	out     Output
	mux     *muxer
	sum     Summary
	sheet   sheet
	track   track
	taken   Loss // the frames taken for it, encoded or not: what is lost when it fails
	dropped Loss // the frames missing in it; one loss, though the ring may drop one here and one there
}

// record records a segment, as one clip or as several without a gap. When it fails the clip that was open is declared lost,
// and the segment can be recorded from where it got to.
func (r *Recorder) record(s *segment) error {
	var f *film
	var previous string
	for {
		it, lost, ok := r.take(s)
		switch {
		case lost.Frames == 0:
		case f != nil:
			f.drop(lost)
		default:
			lost.Reason = LostOverflow
			r.sink.Lost(lost)
		}
		if !ok {
			if f == nil {
				return nil
			}
			if err := f.end(f.mux.nominal); err != nil {
				return f.fail(err)
			}
			return nil
		}
		var err error
		if pts := it.frame.PTS; f != nil && pts-f.sum.PTS >= r.cfg.MaxLength {
			// The clip ends where the next one begins: its last frame lasts until this one, but not through a stall that a
			// sample's 32 bits of duration cannot tell.
			if err = f.end(min(pts-f.mux.pts, time.Hour)); err == nil {
				f, previous = nil, f.sum.ID
			}
		}
		if f == nil {
			f, err = r.begin(it, s.onset, previous)
		}
		f.taken.add(it.frame.Wall)
		if err == nil {
			err = f.add(it)
		}
		it.frame.Release()
		if err != nil {
			return f.fail(err)
		}
	}
}

// begin opens a clip with its first frame. The film is returned with an error, too, so that it can fail.
func (r *Recorder) begin(it item, onset time.Duration, continues string) (*film, error) {
	f := &film{rec: r}
	f.sum.Start = Start{
		ID: newID(), Wall: it.frame.Wall, PTS: it.frame.PTS,
		Width: r.format.Width, Height: r.format.Height, Continues: continues,
	}
	f.sum.PreRoll = max(0, onset-it.frame.PTS)
	if continues == "" {
		r.log.Info("motion began", "at", onset, "clip", f.sum.ID) // here, not in Push: a log that blocks must not hold up capture
	}
	// Not straight into f: beside an error there may be an interface that holds a nil pointer, and fail would close it.
	encoder, err := r.encode(r.format)
	if err != nil {
		return f, err
	}
	f.encoder = encoder
	out, err := r.sink.Create(f.sum.Start)
	if err != nil {
		return f, fmt.Errorf("%w: %w", errStorage, err)
	}
	f.out = out
	nominal := time.Duration(float64(time.Second) / r.format.FrameRate)
	f.mux = newMuxer(f.out, f.sum.Width, f.sum.Height, nominal)
	return f, nil
}

// add encodes one frame.
func (f *film) add(it item) error {
	unit, err := f.encoder.Encode(it.frame)
	if err != nil {
		return err
	}
	if err := f.mux.add(unit, it.frame.PTS); err != nil {
		return err
	}
	if f.sum.Frames > 0 {
		f.sum.Dropped += it.missed
	}
	f.sum.Frames++
	f.sheet.add(&it.frame.YCbCr)
	if it.motion {
		offset := it.frame.PTS - f.sum.PTS
		f.track.add(Sample{Offset: offset, Score: it.score, Boxes: it.boxes})
		if it.score >= f.sum.Peak {
			f.sum.Peak, f.sum.Why = it.score, it.why
		}
		for _, z := range it.zones {
			if !slices.Contains(f.sum.Zones, z) {
				f.sum.Zones = append(f.sum.Zones, z)
			}
		}
	}
	return nil
}

// drop notes frames that the ring dropped in the middle of the clip.
func (f *film) drop(lost Loss) {
	if f.dropped.Frames == 0 {
		f.dropped = Loss{Reason: LostOverflow, Clip: f.sum.ID, From: lost.From}
	}
	f.dropped.To = lost.To
	f.dropped.Frames += lost.Frames
	f.sum.Dropped += lost.Frames
}

// end closes the clip in good order; its last frame lasts for the given time.
func (f *film) end(last time.Duration) error {
	if err := f.mux.close(last); err != nil {
		return err
	}
	f.sum.Duration = f.mux.duration
	f.sum.Track = f.track.samples
	var err error
	if f.sum.ContactSheet, err = f.sheet.jpeg(); err != nil {
		return err
	}
	if err := f.out.Commit(f.sum); err != nil {
		f.out = nil // a commit that failed has cleaned up
		return fmt.Errorf("%w: %w", errStorage, err)
	}
	if f.dropped.Frames > 0 {
		f.rec.sink.Lost(f.dropped)
	}
	if err := f.encoder.Close(); err != nil {
		// The clip is whole and committed: this is no loss.
		f.rec.log.Warn("encoder did not close", "clip", f.sum.ID, "err", err)
	}
	return nil
}

// fail gives the clip up, which may free storage, and then declares it lost.
func (f *film) fail(err error) error {
	lost := f.taken
	lost.Clip, lost.Reason = f.sum.ID, reason(err)
	if f.out != nil {
		err = errors.Join(err, f.out.Abort(err))
	}
	if f.encoder != nil {
		err = errors.Join(err, f.encoder.Close())
	}
	f.rec.sink.Lost(lost)
	if f.dropped.Frames > 0 {
		f.rec.sink.Lost(f.dropped)
	}
	return fmt.Errorf("record clip %s: %w", f.sum.ID, err)
}
