// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/uplink/policy"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// The names of a clip's two sealed parts in the spool.
const (
	partBody    = "clip"
	partDetails = "details"
)

// sink is where capture and uplink meet: it seals what the recorder writes, signs a record of it
// and hands both to the spool's buffer, which never makes it wait for the card. It is the recorder's alone, but for event and
// blind, which anybody may call.
type sink struct {
	keys       *keys.Store
	device     string
	boot       string
	identity   keys.Identity
	recipients []age.Recipient
	spool      *spool.Spool
	buffer     *spool.Buffer
	floor      *clock.Floor
	told       *clock.Told // clock, but in tests
	clock      clock.Clock
	log        *slog.Logger
	upload     *upload
	journal    *journal
}

// Create opens a clip. Nothing of it reaches the disk but through the age writer.
func (s *sink) Create(start clip.Start) (clip.Output, error) {
	sealed, err := s.buffer.Create(start.ID)
	if err != nil {
		return nil, fmt.Errorf("spool clip %s: %w", start.ID, err)
	}
	part, err := sealed.Part(partBody)
	if err != nil {
		sealed.Abort()
		return nil, fmt.Errorf("spool clip %s: %w", start.ID, err)
	}
	o := &output{sink: s, clip: sealed}
	if o.body, err = seal.NewWriter(&counter{w: part, n: &o.bytes}, s.recipients); err != nil {
		sealed.Abort()
		return nil, fmt.Errorf("seal clip %s: %w", start.ID, err)
	}
	o.ended = s.upload.record()
	return o, nil
}

// Lost declares what could not be recorded.
func (s *sink) Lost(l clip.Loss) {
	s.log.Warn("frames were lost", "reason", l.Reason, "clip", l.Clip, "frames", l.Frames)
	s.buffer.Append(l.Clip, s.loss(record.Loss{
		Reason: l.Reason, Clip: l.Clip, From: instant(l.From.Time), To: instant(l.To.Time), Frames: l.Frames,
	}), func(e spool.Entry, _ spool.Wear) {
		s.log.Info("loss declared", "seq", e.Seq, "reason", l.Reason, "clip", l.Clip)
	})
}

// lostNow declares a loss whose time is not known, but that it is found now.
func (s *sink) lostNow(reason, clip string, n int) spool.SignFunc {
	now := instant(s.clock.Now().Time)
	return s.loss(record.Loss{Reason: reason, Clip: clip, From: now, To: now, Frames: n})
}

func (s *sink) loss(l record.Loss) spool.SignFunc {
	return s.sign(func(r *record.Record, _ []spool.Part) { r.Kind, r.Loss = record.KindLoss, &l })
}

// instant is a time as records write it.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// sign makes a signer for the next record of the chain; fill sets its kind and content.
func (s *sink) sign(fill func(*record.Record, []spool.Part)) spool.SignFunc {
	return func(seq uint64, prev [32]byte, parts []spool.Part) ([]byte, error) {
		now := s.clock.Now()
		r := record.Record{
			Version: record.Version,
			Device:  s.device,
			Seq:     seq,
			Prev:    hex.EncodeToString(prev[:]),
			Boot:    s.boot,
			Time:    instant(now.Time),
			Quality: string(now.Quality),
		}
		fill(&r, parts)
		return record.Sign(s.identity.Key(), r)
	}
}

// output is one clip on its way through the seal into memory.
type output struct {
	sink  *sink
	clip  *spool.Clip
	body  io.WriteCloser
	bytes int64  // sealed so far
	ended func() // says that the clip is not being recorded any more
}

func (o *output) Write(p []byte) (int, error) { return o.body.Write(p) }

// Commit seals the details and hands the clip over. It is recorded once it is on the card, which the log says then.
func (o *output) Commit(sum clip.Summary) error {
	defer o.ended()
	err := o.body.Close()
	if err == nil {
		err = o.details(sum)
	}
	when := o.sink.upload.decide(sum, o.bytes)
	if err == nil && when != policy.Now { // which an entry without a note means, and saves a write to the card
		err = o.clip.SetNote(string(when))
	}
	if err != nil {
		o.clip.Abort()
		return fmt.Errorf("seal clip %s: %w", sum.ID, err)
	}
	o.clip.Commit(o.sink.sign(func(r *record.Record, parts []spool.Part) {
		r.Kind, r.Clip = record.KindClip, clipRecord(sum, parts)
	}), func(e spool.Entry, w spool.Wear) {
		o.sink.log.Info("clip recorded", "seq", e.Seq, "id", sum.ID, "duration", sum.Duration.Round(time.Millisecond), "frames", sum.Frames,
			"dropped", sum.Dropped, "upload", string(when), "bytes", e.Bytes(), "written", w.Bytes, "syncs", w.Syncs)
	})
	return nil
}

func (o *output) details(sum clip.Summary) error {
	plain, err := sealedDetails(sum).Marshal()
	if err != nil {
		return err
	}
	part, err := o.clip.Part(partDetails)
	if err != nil {
		return err
	}
	w, err := seal.NewWriter(part, o.sink.recipients)
	if err != nil {
		return err
	}
	_, err = w.Write(plain)
	return errors.Join(err, w.Close())
}

// Abort throws the clip away; the recorder declares the loss.
func (o *output) Abort(reason error) error {
	defer o.ended()
	o.sink.log.Warn("clip aborted", "err", reason)
	o.clip.Abort()
	return nil
}

// clipRecord is what the hub may know of a clip: when, how long, how much, and the hashes.
func clipRecord(sum clip.Summary, parts []spool.Part) *record.Clip {
	c := &record.Clip{
		ID:         sum.ID,
		Start:      instant(sum.Wall.Time),
		Quality:    string(sum.Wall.Quality),
		DurationUS: sum.Duration.Microseconds(),
		PreRollUS:  sum.PreRoll.Microseconds(),
		Frames:     sum.Frames,
		Dropped:    sum.Dropped,
		Continues:  sum.Continues,
	}
	for _, p := range parts {
		part := record.Part{Size: p.Size, SHA256: hex.EncodeToString(p.SHA256[:])}
		switch p.Name {
		case partBody:
			c.Body = part
		case partDetails:
			c.Details = part
		}
	}
	return c
}

// sealedDetails is what only the owner may know of it.
func sealedDetails(sum clip.Summary) seal.Details {
	d := seal.Details{
		Version: seal.DetailsVersion,
		Clip:    sum.ID,
		Start:   sum.Wall.Time.UTC(),
		PTSUS:   sum.PTS.Microseconds(),
		Trigger: sum.Why,
		Peak:    sum.Peak,
		Zones:   sum.Zones,
		Width:   sum.Width,
		Height:  sum.Height,

		ContactSheet: sum.ContactSheet,
	}
	for _, s := range sum.Track {
		sample := seal.Sample{OffsetUS: s.Offset.Microseconds(), Score: s.Score}
		for _, b := range s.Boxes {
			sample.Boxes = append(sample.Boxes, [4]float64{b.X0, b.Y0, b.X1, b.Y1})
		}
		d.Track = append(d.Track, sample)
	}
	return d
}
