// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// A Part names one of a clip's two bodies.
type Part int

const (
	Body    Part = iota // the sealed clip
	Details             // its sealed details
)

func (p Part) String() string { return [...]string{archive.ArrivingClip, archive.ArrivingDetails}[p] }

// A partial is an offered record whose bodies are on their way. Their bytes lie in
// incoming/<device>/<record hash>/{clip,details}; after a restart the files' lengths say how far they
// got. A power cut may leave a file longer than its content: the hash at the end decides, not the length.
// Once the details are here the record stands beside them, for the owner to see: package archive.
type partial struct {
	store  *Store
	device *device
	record record.Record
	jws    []byte
	hash   string
	have   [2]int64 // contiguous bytes of each part
	hole   [2]int64 // where the hole starts that the device was last told of; -1 for none

	arrived bool   // the details were found right, and the record stands beside them
	offered uint64 // number of the device's offer that it was last part of
}

func (s *Store) newPartial(d *device, r record.Record, jws []byte) *partial {
	return &partial{store: s, device: d, record: r, jws: jws, hash: hash(jws), hole: [2]int64{-1, -1}}
}

func (p *partial) dir() string { return filepath.Join(p.store.incoming(p.device.ID), p.hash) }

func (p *partial) file(part Part) string { return filepath.Join(p.dir(), part.String()) }

func (p *partial) recordPath() string {
	return archive.RecordPath(archive.DeviceDir(p.store.dir, p.device.ID), p.record.Seq)
}

// target is where the part lies once it is committed.
func (p *partial) target(part Part) string {
	if part == Body {
		return p.device.ClipPath(p.record.Clip.ID)
	}
	return p.device.DetailsPath(p.record.Clip.ID)
}

func (p *partial) want(part Part) record.Part {
	if part == Body {
		return p.record.Clip.Body
	}
	return p.record.Clip.Details
}

func (p *partial) complete() bool {
	return p.have[Body] == p.want(Body).Size && p.have[Details] == p.want(Details).Size
}

func (p *partial) state() State {
	st := State{Seq: p.record.Seq, Body: p.have[Body], Details: p.have[Details]}
	if p.record.Clip != nil {
		st.Clip = p.record.Clip.ID
	}
	return st
}

// open finds out what is here of the bodies and makes the partial known for chunks.
func (p *partial) open() error {
	if open, ok := p.device.partials[p.record.Clip.ID]; ok && open.hash == p.hash {
		p.have, p.arrived = open.have, open.arrived
	} else if err := p.resume(); err != nil {
		return fmt.Errorf("resume clip %s: %w", p.record.Clip.ID, err)
	}
	if err := p.makeRoom(p.have[Body] > 0); err != nil {
		return fmt.Errorf("make room for clip %s: %w", p.record.Clip.ID, err)
	}
	p.device.remember(p)
	return nil
}

// remember makes the partial known for chunks. Those that were offered longest ago are forgotten, not lost: what is here of
// them is on disk, and is found by their next offer.
func (d *device) remember(p *partial) {
	d.offers++
	p.offered = d.offers
	d.partials[p.record.Clip.ID] = p
	for len(d.partials) > p.store.cfg.MaxPartials {
		oldest := p
		for _, open := range d.partials {
			if open.offered < oldest.offered {
				oldest = open
			}
		}
		delete(d.partials, oldest.record.Clip.ID)
	}
}

func (p *partial) resume() error {
	if err := p.store.disk.mkdir(p.dir()); err != nil {
		return err
	}
	for _, part := range []Part{Body, Details} {
		n, err := size(p.file(part))
		if err != nil {
			return err
		}
		if n < 0 {
			if n, err = p.takeBack(part); err != nil {
				return err
			}
		}
		if n > p.want(part).Size {
			if err := p.discard(part); err != nil {
				return err
			}
			n = 0
		}
		p.have[part] = n
	}
	return nil
}

// takeBack brings back a part that a commit, cut after its rename, left at its target. No other record can own it there.
func (p *partial) takeBack(part Part) (int64, error) {
	moved, err := size(p.target(part))
	switch {
	case err != nil:
		return 0, err
	case moved == p.want(part).Size:
		return moved, p.store.disk.rename(p.target(part), p.file(part))
	}
	return 0, p.store.disk.writeAt(p.file(part), nil, 0)
}

// discard removes what was received of a part, also from the place where a cut commit left it. The device's next offer is
// told what is left.
func (p *partial) discard(part Part) error {
	delete(p.device.partials, p.record.Clip.ID)
	p.have[part] = 0
	if part == Details { // the record says that they are here
		p.arrived = false
		if err := p.store.disk.remove(filepath.Join(p.dir(), archive.ArrivingRecord)); err != nil {
			return err
		}
	}
	return errors.Join(p.store.disk.remove(p.file(part)), p.store.disk.remove(p.target(part)))
}

// Write takes a chunk of an offered clip's part at offset. Bytes that are here already are skipped. A
// chunk that starts beyond what is here is not written; the answer then tells where to go on, once for
// each hole. news reports whether the answer says anything new to the device: such a hole, or the
// receipt that the last missing byte brings.
func (s *Store) Write(ctx context.Context, id, clip string, part Part, offset int64, data []byte) (st State, news bool, err error) {
	d, err := s.device(id)
	if err != nil {
		return State{}, false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.partials[clip]
	if !ok {
		return State{Clip: clip}, false, fmt.Errorf("clip %s: %w", clip, ErrNotOffered)
	}
	want, have := p.want(part).Size, p.have[part]
	// Not offset+len > want: the sum may overflow.
	if offset < 0 || offset > want || int64(len(data)) > want-offset {
		return p.state(), true, fmt.Errorf("%w: chunk of %d bytes at %d, the %s has %d", ErrSize, len(data), offset, part, want)
	}
	if offset > have {
		news = p.hole[part] != have
		p.hole[part] = have
		return p.state(), news, nil
	}
	if end := offset + int64(len(data)); end > have {
		if part == Body && have == 0 {
			if err := p.makeRoom(true); err != nil {
				return p.state(), true, fmt.Errorf("make room for clip %s: %w", clip, err)
			}
		}
		if err := s.disk.writeAt(p.file(part), data[have-offset:], have); err != nil {
			// The file may have grown by a part of it; the next offer looks at the file again.
			delete(d.partials, clip)
			return p.state(), true, fmt.Errorf("write clip %s: %w", clip, err)
		}
		p.have[part] = end
	}
	if p.complete() {
		st, err = p.finish(ctx)
		return st, true, err
	}
	if err := p.arrive(); err != nil {
		return p.state(), true, err
	}
	return p.state(), false, nil
}
