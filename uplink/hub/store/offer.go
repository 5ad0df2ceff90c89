// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// A State is what the store holds of one record.
type State struct {
	Seq     uint64
	Clip    string // clip id; empty for a record without a clip
	Body    int64  // contiguous bytes of the sealed clip, from its start
	Details int64  // the same of its sealed details
	Receipt []byte // signed, once the record is committed; nil before
}

// A device is what the store remembers of one device between its messages.
type device struct {
	*archive.Device
	mu       sync.Mutex          // held through each call for the device
	partials map[string]*partial // that take chunks, by clip; at most Config.MaxPartials
	offers   uint64              // of clips, since the store was opened
}

func (s *Store) device(id string) (*device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.devices[id]; ok {
		return d, nil
	}
	known, err := s.archive.Device(id)
	if err != nil {
		return nil, err
	}
	d := &device{Device: known, partials: map[string]*partial{}}
	s.devices[id] = d
	return d, nil
}

// Offer takes a record that the device has signed. The answer says how much of its bodies is already
// here, or carries the receipt: for a record without bodies, for one whose bodies are all here, and for
// one that is committed already. evicted says that the device no longer has the bodies; the record is
// then committed with those that are here, and a later loss record must declare the others. When the
// answer counts all of the details, record and details are durable and [archive.Device.Arriving] shows
// them. The state's Seq and Clip are set whenever the record's signature holds, also beside an error.
func (s *Store) Offer(ctx context.Context, id string, jws []byte, evicted bool) (State, error) {
	return s.OfferHeld(ctx, id, jws, evicted, "")
}

// OfferHeld is Offer of a record whose clip does not follow by itself, for the reason in a word that the wire allows.
func (s *Store) OfferHeld(ctx context.Context, id string, jws []byte, evicted bool, hold string) (State, error) {
	d, err := s.device(id)
	if err != nil {
		return State{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()

	r, err := record.Verify(d.Identity, jws)
	if err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if r.Device != id {
		return State{}, fmt.Errorf("%w: it is of device %q", ErrMalformed, r.Device)
	}
	p := s.newPartial(d, r, jws)
	stored, err := d.Entry(r.Seq)
	switch {
	case err == nil && bytes.Equal(stored.JWS, jws):
		return s.again(ctx, p, stored)
	case err == nil:
		return p.state(), fmt.Errorf("%w: another record %d is stored", ErrFork, r.Seq)
	case !errors.Is(err, fs.ErrNotExist):
		return p.state(), err
	}
	if err := s.admit(ctx, p); err != nil {
		return p.state(), err
	}
	if r.Clip == nil {
		return p.commit(ctx)
	}
	if err := p.open(); err != nil {
		return p.state(), err
	}
	if p.complete() {
		return p.finish(ctx)
	}
	if err := p.arrive(); err != nil {
		return p.state(), err
	}
	if err := p.keepHold(hold); err != nil {
		return p.state(), err
	}
	if evicted {
		return p.finishEvicted(ctx)
	}
	return p.state(), nil
}

// again answers the offer of a record that is stored.
func (s *Store) again(ctx context.Context, p *partial, stored archive.Entry) (State, error) {
	indexed, err := s.index.has(ctx, p.device.ID, p.hash)
	if err != nil {
		return p.state(), err
	}
	if !indexed {
		// The commit failed behind the rename; its remaining steps are done now.
		return p.settle(ctx)
	}
	return p.receipt(stored)
}

// admit checks a new record against the chain and the limits.
func (s *Store) admit(ctx context.Context, p *partial) error {
	r := p.record
	if r.Seq == 0 || r.Seq > math.MaxInt64-1 {
		return fmt.Errorf("%w: sequence number %d", ErrMalformed, r.Seq)
	}
	// A missing neighbour is a gap, which archive.Verify names. It is no reason to turn away what is left.
	if before, err := p.device.Entry(r.Seq - 1); err == nil && hash(before.JWS) != r.Prev {
		return fmt.Errorf("%w: record %d does not follow the stored record %d", ErrFork, r.Seq, before.Seq)
	}
	if after, err := p.device.Entry(r.Seq + 1); err == nil && after.Record.Prev != p.hash {
		return fmt.Errorf("%w: the stored record %d does not follow record %d", ErrFork, after.Seq, r.Seq)
	}
	c := r.Clip
	if c == nil {
		return nil
	}
	if !archive.ValidClip(c.ID) {
		return fmt.Errorf("%w: clip id %q", ErrMalformed, c.ID)
	}
	owner, err := s.index.owner(ctx, r.Device, c.ID)
	if err != nil {
		return err
	}
	if owner != 0 {
		return fmt.Errorf("%w: clip %s belongs to record %d", ErrFork, c.ID, owner)
	}
	if c.Body.Size > s.cfg.MaxClipBytes {
		return fmt.Errorf("%w: the clip has %d bytes, this hub takes %d", ErrSize, c.Body.Size, s.cfg.MaxClipBytes)
	}
	if c.Details.Size > MaxDetailsBytes {
		return fmt.Errorf("%w: the details have %d bytes, this hub takes %d", ErrSize, c.Details.Size, MaxDetailsBytes)
	}
	return nil
}
