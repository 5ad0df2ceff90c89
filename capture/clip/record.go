// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
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
	last    clock.Wall
}

// record records a segment, as one clip or as several without a gap. When it fails the clip that was open is declared lost,
// and the segment can be recorded from where it got to.
func (r *Recorder) record(s *segment) error {
	var f *film
	var previous string
	for {
		it, lost, ok := r.take(s)
		if lost.Frames > 0 {
			lost.Reason = LostOverflow
			if f != nil {
				f.sum.Dropped += lost.Frames
				lost.Clip = f.sum.ID
			}
			r.sink.Lost(lost)
		}
		if !ok {
			if f == nil {
				return nil
			}
			return f.end(f.mux.nominal)
		}
		pts := it.frame.PTS
		if f != nil && pts-f.sum.PTS >= r.cfg.MaxLength {
			// The clip ends where the next one begins: its last frame lasts until this one.
			if err := f.end(pts - f.mux.pts); err != nil {
				it.frame.Release()
				return err
			}
			f, previous = nil, f.sum.ID
		}
		var err error
		if f == nil {
			f, err = r.begin(it, s.onset, previous)
		}
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
	f := &film{rec: r, last: it.frame.Wall}
	f.sum.Start = Start{
		ID: newID(), Wall: it.frame.Wall, PTS: it.frame.PTS,
		Width: r.format.Width, Height: r.format.Height, Continues: continues,
	}
	f.sum.PreRoll = max(0, onset-it.frame.PTS)
	var err error
	if f.encoder, err = r.encode(r.format); err != nil {
		return f, err
	}
	if f.out, err = r.sink.Create(f.sum.Start); err != nil {
		return f, fmt.Errorf("%w: %w", errStorage, err)
	}
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
	f.sum.Frames++
	f.last = it.frame.Wall
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

// end closes the clip in good order; its last frame lasts for the given time.
func (f *film) end(last time.Duration) error {
	err := f.mux.close(last)
	if err == nil {
		f.sum.Duration = f.mux.duration
		f.sum.Track = f.track.samples
		f.sum.ContactSheet, err = f.sheet.jpeg()
	}
	if err == nil {
		if err = f.out.Commit(f.sum); err != nil {
			err = fmt.Errorf("%w: %w", errStorage, err)
			f.out = nil // a commit that failed has cleaned up
		}
	}
	if err != nil {
		return f.fail(err)
	}
	return f.encoder.Close()
}

// fail gives the clip up and declares it lost.
func (f *film) fail(err error) error {
	f.rec.sink.Lost(span(f.sum.Wall, f.last, f.sum.Frames, f.sum.ID, reason(err)))
	if f.out != nil {
		err = errors.Join(err, f.out.Abort(err))
	}
	if f.encoder != nil {
		err = errors.Join(err, f.encoder.Close())
	}
	return fmt.Errorf("record clip %s: %w", f.sum.ID, err)
}
