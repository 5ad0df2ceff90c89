// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// finish commits a record whose bodies are all here: steps 1 to 10 of the package comment.
func (p *partial) finish(ctx context.Context) (State, error) {
	return p.conclude(ctx, Body, Details)
}

// finishEvicted commits a record whose clip will not come any more. Its details are kept, if they are here.
func (p *partial) finishEvicted(ctx context.Context) (State, error) {
	if p.arrived {
		return p.conclude(ctx, Details)
	}
	return p.conclude(ctx)
}

// conclude publishes the parts and commits the record. When that fails the parts may lie here or there: the next offer looks,
// and takes them back.
func (p *partial) conclude(ctx context.Context, parts ...Part) (st State, err error) {
	if len(parts) > 0 {
		err = p.publish(parts...)
	}
	if err == nil {
		st, err = p.commit(ctx)
	} else {
		st = p.state()
	}
	if err != nil {
		p.device.forget(p.hash)
	}
	return st, err
}

// publish checks bodies and moves them to their place: steps 1 to 4.
func (p *partial) publish(parts ...Part) error {
	d := p.store.disk
	var wrong []error // all of it is thrown away at once, so that the device hears of it once
	for _, part := range parts {
		wrong = append(wrong, p.check(part))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	for _, part := range parts {
		if err := p.sync(part); err != nil {
			return err
		}
	}
	var err error
	for _, part := range parts {
		if err == nil {
			err = d.rename(p.file(part), p.target(part))
		}
	}
	if err == nil {
		err = d.syncDir(filepath.Dir(p.target(Body)))
	}
	if err != nil {
		return fmt.Errorf("store clip %s: %w", p.record.Clip.ID, err)
	}
	return nil
}

// check compares a part with the record, and throws away what is not right.
func (p *partial) check(part Part) error {
	return p.store.disk.do(func() error {
		sum, err := sumFile(p.file(part))
		if err != nil {
			return err
		}
		if want := p.want(part).SHA256; sum != want {
			if err := p.discard(part); err != nil {
				return err
			}
			return fmt.Errorf("%w: the %s has SHA-256 %s, the record says %s", ErrHash, part, sum, want)
		}
		return nil
	}, "check", p.file(part))
}

// sync makes a part durable.
func (p *partial) sync(part Part) error {
	if err := p.store.disk.sync(p.file(part)); err != nil {
		// After a failed fsync the kernel may drop the pages and call the file clean: send it again.
		_ = p.discard(part)
		return fmt.Errorf("sync clip %s: %w", p.record.Clip.ID, err)
	}
	return nil
}

// commit writes the record: steps 5 to 10.
func (p *partial) commit(ctx context.Context) (State, error) {
	d, staged := p.store.disk, p.staged()
	if err := d.mkdir(p.dir()); err != nil {
		return p.state(), fmt.Errorf("store record %d: %w", p.record.Seq, err)
	}
	if err := d.stage(staged, p.jws); err != nil {
		return p.state(), fmt.Errorf("store record %d: %w", p.record.Seq, err)
	}
	if err := d.rename(staged, p.recordPath()); err != nil {
		return p.state(), fmt.Errorf("store record %d: %w", p.record.Seq, err)
	}
	if seq := p.record.Seq; seq > 1 && !p.device.Has(seq-1) && !p.arriving(p.record.Prev) {
		p.store.cfg.Log.Warn("records are missing before this one", "code", "chain-gap", "device", p.device.ID, "seq", seq)
	}
	return p.settle(ctx)
}

// settle does what remains once the record file stands: steps 7 to 10.
func (p *partial) settle(ctx context.Context) (State, error) {
	d := p.store.disk
	if err := d.syncDir(filepath.Dir(p.recordPath())); err != nil {
		return p.state(), fmt.Errorf("store record %d: %w", p.record.Seq, err)
	}
	if p.record.Clip != nil {
		delete(p.device.partials, p.record.Clip.ID)
	}
	if err := d.remove(p.dir()); err != nil {
		return p.state(), fmt.Errorf("store record %d: %w", p.record.Seq, err)
	}
	stored, err := p.device.Entry(p.record.Seq)
	if err != nil {
		return p.state(), err
	}
	if err := d.do(func() error { return p.store.index.put(ctx, stored) }, "index"); err != nil {
		return p.state(), err
	}
	return p.receipt(stored)
}

// receipt signs that the record is stored.
func (p *partial) receipt(stored archive.Entry) (State, error) {
	st := p.state()
	jws, err := record.SignReceipt(p.store.cfg.Key, record.Receipt{
		Version: record.Version, Device: p.device.ID, Seq: stored.Seq, Record: p.hash, Clip: st.Clip,
		Stored: stored.Stored.Truncate(time.Millisecond),
	})
	if err != nil {
		return st, fmt.Errorf("sign receipt: %w", err)
	}
	st.Receipt = jws
	return st, nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read back: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
