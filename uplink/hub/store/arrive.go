// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// Bounds of what a device has here without its sealed clip, where Config names no others.
const (
	maxArriving      = 1024
	maxArrivingBytes = 256 << 20 // of details
)

// staged is where a record is written before it is renamed into its place.
func (p *partial) staged() string { return filepath.Join(p.dir(), archive.ArrivingRecord+".tmp") }

// arriving reports whether the device's record of that hash waits here for its clip.
func (p *partial) arriving(hash string) bool {
	n, err := size(filepath.Join(p.store.incoming(p.device.ID), hash, archive.ArrivingRecord))
	return err == nil && n >= 0
}

// arrive shows record and details to the owner once the details are all here: it checks them, makes them durable, and puts
// the record beside them. A cut at any moment leaves no record without right details.
func (p *partial) arrive() error {
	if p.arrived || p.have[Details] < p.want(Details).Size {
		return nil
	}
	if !p.arriving(p.hash) { // else a former life of the store put it there, when the details were durable
		if err := p.check(Details); err != nil {
			return err
		}
		if err := p.sync(Details); err != nil {
			return err
		}
		err := p.store.disk.stage(p.staged(), p.jws)
		if err == nil {
			err = p.store.disk.rename(p.staged(), filepath.Join(p.dir(), archive.ArrivingRecord))
		}
		if err != nil {
			return fmt.Errorf("keep details of record %d: %w", p.record.Seq, err)
		}
	}
	// The folders may be new, each one in the next.
	device := p.store.incoming(p.device.ID)
	for _, dir := range []string{p.dir(), device, filepath.Dir(device)} {
		if err := p.store.disk.syncDir(dir); err != nil {
			return fmt.Errorf("keep details of record %d: %w", p.record.Seq, err)
		}
	}
	p.arrived = true
	return nil
}

// keepHold notes why the clip does not follow by itself. A cut leaves the word before, or this one: nothing relies on it.
func (p *partial) keepHold(word string) error {
	if !p.arrived {
		return nil
	}
	old, err := archive.ReadHold(p.dir())
	if err == nil && old == word {
		return nil
	}
	if path := filepath.Join(p.dir(), archive.ArrivingHold); word == "" {
		err = p.store.disk.remove(path)
	} else {
		err = p.store.disk.replace(path, []byte(word))
	}
	if err != nil {
		return fmt.Errorf("keep what holds the clip of record %d: %w", p.record.Seq, err)
	}
	return nil
}

// unfinished is what lies in the folder of a partial.
type unfinished struct {
	hash    string
	body    int64
	details int64
	at      time.Time // when the body grew last or, without one, the folder changed
}

// makeRoom keeps the bounds of the device's partials, this one aside: begun bodies, and details without. Of a body too many
// the bytes go, and its details stay; of details too many the whole goes. The oldest go first.
func (p *partial) makeRoom(body bool) error {
	return p.store.disk.do(func() error { return p.removeOldest(body) }, "make room")
}

func (p *partial) removeOldest(body bool) error {
	bodies, arriving, err := p.others()
	if err != nil {
		return err
	}
	room := p.store.cfg.MaxPartials
	if body {
		room--
	}
	for ; len(bodies) > room; bodies = bodies[1:] {
		p.device.forget(bodies[0].hash)
		if err := p.store.disk.remove(filepath.Join(p.store.incoming(p.device.ID), bodies[0].hash, archive.ArrivingClip)); err != nil {
			return err
		}
		arriving = append(arriving, bodies[0])
	}
	bytes := p.want(Details).Size
	for _, u := range arriving {
		bytes += u.details
	}
	most, mostBytes := cmp.Or(p.store.cfg.MaxArriving, maxArriving), cmp.Or(p.store.cfg.MaxArrivingBytes, maxArrivingBytes)
	for ; len(arriving) > 0 && (len(arriving) >= most || bytes > mostBytes); arriving = arriving[1:] {
		p.device.forget(arriving[0].hash)
		if err := p.store.disk.remove(filepath.Join(p.store.incoming(p.device.ID), arriving[0].hash)); err != nil {
			return err
		}
		bytes -= arriving[0].details
	}
	return nil
}

// others are the device's partials but this one, the oldest first: those with a begun body, and those without.
func (p *partial) others() (bodies, arriving []unfinished, err error) {
	dir := p.store.incoming(p.device.ID)
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if n.Name() == p.hash {
			continue
		}
		u := unfinished{hash: n.Name()}
		for _, f := range []struct {
			name string
			size *int64
		}{{"", new(int64)}, {archive.ArrivingDetails, &u.details}, {archive.ArrivingClip, &u.body}} {
			info, err := os.Stat(filepath.Join(dir, u.hash, f.name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			*f.size = info.Size()
			if f.name == "" || f.name == archive.ArrivingClip && info.Size() > 0 {
				u.at = info.ModTime()
			}
		}
		if u.body > 0 {
			bodies = append(bodies, u)
		} else {
			arriving = append(arriving, u)
		}
	}
	older := func(a, b unfinished) int { return a.at.Compare(b.at) }
	slices.SortFunc(bodies, older)
	slices.SortFunc(arriving, older)
	return bodies, arriving, nil
}

// forget ends the taking of chunks for the record of that hash, until it is offered again.
func (d *device) forget(hash string) {
	for clip, open := range d.partials {
		if open.hash == hash {
			delete(d.partials, clip)
		}
	}
}
