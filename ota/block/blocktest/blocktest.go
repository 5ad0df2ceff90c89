// SPDX-License-Identifier: Apache-2.0

// Package blocktest is a disk in memory that loses power. Start with [New]; [Disk.CutAfter] says when, and [Disk.PowerLoss] makes
// of what was not synced what a real disk may: any of its sectors, in part.
package blocktest

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/nightjar-cam/nightjar/ota/block"
)

// What a disk returns.
var (
	ErrCut = errors.New("the power is cut")
	ErrIO  = errors.New("input/output error")
)

// A Write is one sector that was written and not synced.
type Write struct {
	Off  int64 // a multiple of the sector
	Data [block.Sector]byte
}

// Disk is a [block.Device] with a volatile cache. A write of several sectors is as many writes. One goroutine.
type Disk struct {
	stable  []byte  // the medium
	seen    []byte  // what is read: the medium and the cache
	pending []Write // the cache, in order
	sectors int     // written so far
	syncs   int     // tried so far
	cut     int     // the power goes with this sector; negative for never
	down    bool

	// Fail, if not nil, is asked before each sector is written ("write") or the cache is synced ("sync"), with how many were before.
	// A failed sync leaves the cache as it was, and the disk forgets it: as a kernel does.
	Fail func(op string, n int) error
	// Watch, if not nil, sees each sector as it is written.
	Watch func(off int64)
}

// New returns a disk of zeroes. The size is in bytes, whole sectors.
func New(size int64) *Disk {
	if size%block.Sector != 0 {
		panic(fmt.Sprintf("blocktest: a disk of %d bytes", size))
	}
	return &Disk{stable: make([]byte, size), seen: make([]byte, size), cut: -1}
}

// Clone returns a disk with the same content, cache and counts, and with power; it has no cut and no Fail.
func (d *Disk) Clone() *Disk {
	return &Disk{stable: slices.Clone(d.stable), seen: slices.Clone(d.seen), pending: slices.Clone(d.pending), sectors: d.sectors, syncs: d.syncs, cut: -1}
}

// CutAfter has the power go after n more sectors: they are written, and nothing after them, nor any sync.
func (d *Disk) CutAfter(n int) { d.cut = d.sectors + n }

// Sectors returns how many sectors were written, ever.
func (d *Disk) Sectors() int { return d.sectors }

// Pending returns what was written and not synced, in order.
func (d *Disk) Pending() []Write { return d.pending }

// PowerLoss makes the disk one that lost its power and has it again: of the cache it keeps the writes for which keep says so, by
// index, in order; one that is torn has only its first torn bytes new, if torn is not 0 and it is the last that is kept.
func (d *Disk) PowerLoss(keep func(i int) bool, torn int) {
	last := -1
	for i := range d.pending {
		if keep(i) {
			last = i
		}
	}
	for i, w := range d.pending {
		if !keep(i) {
			continue
		}
		n := block.Sector
		if i == last && torn > 0 {
			n = torn
		}
		copy(d.stable[w.Off:], w.Data[:n])
	}
	d.pending, d.down, d.cut = nil, false, -1
	d.seen = slices.Clone(d.stable)
}

// Flip changes one bit of the medium, and of what is read.
func (d *Disk) Flip(off int64, bit uint) {
	d.stable[off] ^= 1 << (bit & 7)
	d.seen[off] ^= 1 << (bit & 7)
}

// Medium is what is on the medium; do not change it.
func (d *Disk) Medium() []byte { return d.stable }

// Size is in bytes.
func (d *Disk) Size() int64 { return int64(len(d.stable)) }

// ReadAt reads what was written, synced or not.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	if d.down {
		return 0, ErrCut
	}
	if off < 0 || off > d.Size() {
		return 0, block.ErrRange
	}
	n := copy(p, d.seen[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes into the cache. It may be any bytes: what shares a sector with them is written again, as a kernel does.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || int64(len(p)) > d.Size()-off {
		return 0, block.ErrRange
	}
	for n := 0; n < len(p); {
		at := off + int64(n)
		sector := at / block.Sector * block.Sector
		k := min(len(p)-n, int(sector+block.Sector-at))
		if d.cut >= 0 && d.sectors >= d.cut {
			d.down = true
		}
		if d.down {
			return n, ErrCut
		}
		if d.Fail != nil {
			if err := d.Fail("write", d.sectors); err != nil {
				return n, err
			}
		}
		copy(d.seen[at:], p[n:n+k])
		w := Write{Off: sector}
		copy(w.Data[:], d.seen[sector:])
		d.pending = append(d.pending, w)
		d.sectors++
		if d.Watch != nil {
			d.Watch(sector)
		}
		n += k
	}
	return len(p), nil
}

// Sync puts the cache on the medium. With the power cut behind the last sector it fails: no cut is in the middle of a sync, since
// that is the cut before it with a part of the cache kept.
func (d *Disk) Sync() error { return d.SyncRange(0, d.Size()) }

// SyncRange puts what the cache has of a range on the medium, and nothing else: a kernel has a cache for each partition.
func (d *Disk) SyncRange(off, size int64) error {
	if d.cut >= 0 && d.sectors >= d.cut {
		d.down = true
	}
	if d.down {
		return ErrCut
	}
	d.syncs++
	if d.Fail != nil {
		if err := d.Fail("sync", d.syncs-1); err != nil {
			// What could not be written is no longer there when it is read again.
			d.seen = slices.Clone(d.stable)
			d.pending = nil
			return err
		}
	}
	d.pending = slices.DeleteFunc(d.pending, func(w Write) bool {
		if w.Off < off || w.Off >= off+size {
			return false
		}
		copy(d.stable[w.Off:], w.Data[:])
		return true
	})
	return nil
}
