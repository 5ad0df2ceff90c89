// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// A Part names one of a clip's two bodies.
type Part int

const (
	Body    Part = iota // the sealed clip
	Details             // its sealed details
)

func (p Part) String() string { return [...]string{"clip", "details"}[p] }

// A partial is an offered record whose bodies are on their way. Their bytes lie in
// incoming/<device>/<record hash>/{clip,details}; after a restart the files' lengths say how far they
// got. A power cut may leave a file longer than its content: the hash at the end decides, not the length.
type partial struct {
	store  *Store
	device *device
	record record.Record
	jws    []byte
	hash   string
	have   [2]int64 // contiguous bytes of each part
	hole   [2]int64 // where the hole starts that the device was last told of; -1 for none
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
		p.have = open.have
	} else if err := p.resume(); err != nil {
		return fmt.Errorf("resume clip %s: %w", p.record.Clip.ID, err)
	}
	if err := p.makeRoom(); err != nil {
		return fmt.Errorf("make room for clip %s: %w", p.record.Clip.ID, err)
	}
	p.device.partials[p.record.Clip.ID] = p
	return nil
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
			// A commit that was cut after its rename: the part is at its target, and no other record's.
			if moved, err := size(p.target(part)); err != nil {
				return err
			} else if moved == p.want(part).Size {
				p.have[part] = moved
				continue
			}
			if err := p.store.disk.writeAt(p.file(part), nil, 0); err != nil {
				return err
			}
			n = 0
		}
		if n > p.want(part).Size {
			if err := p.discard(); err != nil {
				return err
			}
			return p.resume()
		}
		p.have[part] = n
	}
	return nil
}

// makeRoom removes the device's oldest partials beyond the limit, this one aside.
func (p *partial) makeRoom() error {
	dir := p.store.incoming(p.device.ID)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var others []os.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if e.Name() != p.hash {
			others = append(others, info)
		}
	}
	slices.SortFunc(others, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for len(others) >= p.store.cfg.MaxPartials {
		name := others[0].Name()
		if err := p.store.disk.remove(filepath.Join(dir, name)); err != nil {
			return err
		}
		maps.DeleteFunc(p.device.partials, func(_ string, open *partial) bool { return open.hash == name })
		others = others[1:]
	}
	return nil
}

// discard removes everything received of the record, also from the places where a cut commit left it.
func (p *partial) discard() error {
	delete(p.device.partials, p.record.Clip.ID)
	p.have = [2]int64{}
	return errors.Join(p.store.disk.remove(p.dir()), p.store.disk.remove(p.target(Body)), p.store.disk.remove(p.target(Details)))
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
		if err := s.disk.writeAt(p.file(part), data[have-offset:], have); err != nil {
			// The file may have grown by a part of it; the next offer looks at the file again.
			delete(d.partials, clip)
			return p.state(), true, fmt.Errorf("write clip %s: %w", clip, err)
		}
		p.have[part] = end
	}
	if !p.complete() {
		return p.state(), false, nil
	}
	st, err = p.finish(ctx)
	return st, true, err
}
