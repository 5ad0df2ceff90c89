// SPDX-License-Identifier: Apache-2.0

package ota

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/nightjar-cam/nightjar/ota/slot"
	"github.com/nightjar-cam/nightjar/ota/state"
)

const (
	passes    = 3       // over a slot, until it reads back as it should
	syncEvery = 4 << 20 // bytes: a card that is given more at once holds up the clips
)

// Install writes a release into the slot that is not in use and reads it back; with nil the release is Verified, and [Updater.Begin] is
// next. It goes on with what a former call, or a cut, left of the same release: chunks that are in place are not read from the image
// again. An error that wraps [ErrShape], [ErrOlder] or [ErrMedium] is final; others may be gone at the next call.
func (u *Updater) Install(ctx context.Context, img Image) error {
	rel := img.Release()
	r := u.o.State.Record()
	resume := (r.Phase == state.Fetching || r.Phase == state.Verified) && r.Image == rel.Image
	if !r.Phase.Settled() && r.Phase != state.Fetching && r.Phase != state.Verified {
		return fmt.Errorf("install %s: %w: %s is %s", rel.Version, ErrUnderWay, r.Version, r.Phase)
	}
	if rel.Counter <= r.Floor {
		return fmt.Errorf("install %s: %w: it has the number %d, and %d was installed", rel.Version, ErrOlder, rel.Counter, r.Floor)
	}
	target, err := u.target()
	if err != nil {
		return fmt.Errorf("install %s: %w", rel.Version, err)
	}
	if r.Phase == state.Verified && resume && r.Target == target {
		return nil
	}
	parts, shut, err := u.open(target, img)
	defer shut()
	if err != nil {
		return fmt.Errorf("install %s: %w", rel.Version, err)
	}
	if !resume || r.Target != target {
		r = state.Record{Phase: state.Fetching, Target: target, Image: rel.Image, Version: rel.Version, Counter: rel.Counter, Floor: r.Floor}
		resume = false
	}
	// Before the first byte: what is in the slot from now on is nobody's firmware, and a flag must not start it.
	r.Phase = state.Fetching
	if err := u.o.Slots.Disarm(); err != nil {
		return fmt.Errorf("install %s: take back a trial: %w", rel.Version, err)
	}
	if err := u.save(r); err != nil {
		return fmt.Errorf("install %s: %w", rel.Version, err)
	}
	w := &writing{u: u, img: img, parts: parts, buf: make([]byte, MaxChunk)}
	for pass := range passes {
		wrote, err := w.pass(ctx, pass > 0 || resume)
		if err != nil {
			return fmt.Errorf("install %s: %w", rel.Version, err)
		}
		if wrote > 0 {
			continue // what was written now has to be read back
		}
		r.Phase, r.Sum = state.Verified, w.sum
		for i, p := range img.Parts() {
			r.Sizes[i] = uint64(p.Size)
		}
		if err := u.save(r); err != nil {
			return fmt.Errorf("install %s: %w", rel.Version, err)
		}
		u.o.Log.Info("update verified", "version", rel.Version, "slot", target)
		return nil
	}
	return fmt.Errorf("install %s: %w", rel.Version, u.fail(r, ErrMedium))
}

// target returns the slot to write. When the boot loader has fallen back from a default that does not load, what runs is made the default
// first: it works, and the slot that does not can be written then.
func (u *Updater) target() (slot.Slot, error) {
	seen, err := u.look()
	if err != nil {
		return 0, err
	}
	if seen.Booted != seen.Default {
		if err := u.o.Slots.Commit(seen.Booted); err != nil {
			return 0, fmt.Errorf("make slot %s, which runs, the default: %w", seen.Booted, err)
		}
	}
	return seen.Booted.Other(), nil
}

// open opens the pieces of a slot that an image is for; shut closes those that were opened, also after an error.
func (u *Updater) open(s slot.Slot, img Image) (parts []slot.Device, shut func(), err error) {
	shut = func() {
		for _, d := range parts {
			d.Close()
		}
	}
	names := u.o.Slots.Parts()
	if len(img.Parts()) != len(names) || len(names) > state.MaxParts {
		return nil, shut, fmt.Errorf("%w: it has %d parts, a slot has %d", ErrShape, len(img.Parts()), len(names))
	}
	for i, p := range img.Parts() {
		if p.Name != names[i] {
			return parts, shut, fmt.Errorf("%w: its part %d is %.20q, the slot's is %q", ErrShape, i, p.Name, names[i])
		}
		d, err := u.o.Slots.Open(s, p.Name)
		if err != nil {
			return parts, shut, fmt.Errorf("open %s of slot %s: %w", p.Name, s, err)
		}
		parts = append(parts, d)
		if p.Size <= 0 || p.Size > d.Size() {
			return parts, shut, fmt.Errorf("%w: its %s has %d bytes, the slot has room for %d", ErrShape, p.Name, p.Size, d.Size())
		}
	}
	return parts, shut, covers(img)
}

// covers returns an error unless the chunks are all bytes of the parts, in order: what no chunk covers would be installed unverified.
func covers(img Image) error {
	parts := img.Parts()
	part, off := 0, int64(0)
	for i := range img.Len() {
		c := img.Chunk(i)
		for part < len(parts) && off == parts[part].Size {
			part, off = part+1, 0
		}
		if c.Part != part || c.Off != off || c.Len <= 0 || c.Len > MaxChunk || part == len(parts) || int64(c.Len) > parts[part].Size-off {
			return fmt.Errorf("%w: chunk %d is %d bytes at %d of part %d", ErrShape, i, c.Len, c.Off, c.Part)
		}
		off += int64(c.Len)
	}
	for part < len(parts) && off == parts[part].Size {
		part, off = part+1, 0
	}
	if part != len(parts) {
		return fmt.Errorf("%w: its chunks end at %d of part %d", ErrShape, off, part)
	}
	return nil
}

// writing is one installation.
type writing struct {
	u     *Updater
	img   Image
	parts []slot.Device
	buf   []byte
	sum   [32]byte // of all parts, after a pass that read all of them
}

// pass goes over all chunks; with check it reads each first, and leaves it when it is in place. It returns how many it has written. They
// are on the medium when it returns nil.
func (w *writing) pass(ctx context.Context, check bool) (wrote int, err error) {
	var all, done int64
	for _, p := range w.img.Parts() {
		all += p.Size
	}
	whole := sha256.New()
	unsynced := 0
	for i := range w.img.Len() {
		if err := ctx.Err(); err != nil {
			return wrote, err
		}
		c := w.img.Chunk(i)
		d, buf := w.parts[c.Part], w.buf[:c.Len]
		inPlace := false
		if check {
			if _, err := d.ReadAt(buf, c.Off); err != nil {
				return wrote, fmt.Errorf("read back chunk %d: %w", i, err)
			}
			inPlace = sha256.Sum256(buf) == c.Sum
			whole.Write(buf)
		}
		if !inPlace {
			if err := w.img.Read(ctx, i, buf); err != nil {
				return wrote, fmt.Errorf("fetch chunk %d of %d: %w", i, w.img.Len(), err)
			}
			if _, err := d.WriteAt(buf, c.Off); err != nil {
				return wrote, fmt.Errorf("write chunk %d: %w", i, err)
			}
			wrote++
			if unsynced += c.Len; unsynced >= syncEvery {
				if err := w.sync(); err != nil {
					return wrote, err
				}
				unsynced = 0
			}
		}
		done += int64(c.Len)
		w.u.show(func(s *Status) { s.Done, s.All = done, all })
		if w.u.o.Progress != nil {
			w.u.o.Progress(done, all)
		}
	}
	copy(w.sum[:], whole.Sum(nil))
	return wrote, w.sync()
}

func (w *writing) sync() error {
	for i, d := range w.parts {
		if err := d.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", w.img.Parts()[i].Name, err)
		}
	}
	return nil
}

// verify reads the target once more, as it was when it was verified: it may have lain for weeks.
func (u *Updater) verify(ctx context.Context, r state.Record) error {
	h := sha256.New()
	buf := make([]byte, MaxChunk)
	for i, name := range u.o.Slots.Parts() {
		d, err := u.o.Slots.Open(r.Target, name)
		if err != nil {
			return fmt.Errorf("verify slot %s: %w", r.Target, err)
		}
		for off := int64(0); off < int64(r.Sizes[i]) && err == nil; {
			if err = ctx.Err(); err != nil {
				break
			}
			var n int
			n, err = d.ReadAt(buf[:min(MaxChunk, int64(r.Sizes[i])-off)], off)
			h.Write(buf[:n])
			off += int64(n)
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return fmt.Errorf("verify %s of slot %s: %w", name, r.Target, err)
		}
	}
	if [32]byte(h.Sum(nil)) != r.Sum {
		return fmt.Errorf("verify slot %s: %w", r.Target, ErrMedium)
	}
	return nil
}
