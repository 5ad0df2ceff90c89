// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// faultDisk is a memDisk for several goroutines, whose operations fail or take long while a test says so.
type faultDisk struct {
	*memDisk
	lock sync.Mutex
	fail func(op string) error // before the operation; op is such as "sync clip"

	// Defences that a mutant lacks.
	trusting bool // an fsync that failed is tried again, and believed
	noRedo   bool // what was renamed before an fsync that failed is not renamed again
}

func (d *faultDisk) set(fail func(string) error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.fail = fail
}

func (d *faultDisk) check(op, path string) error {
	d.lock.Lock()
	fail := d.fail
	d.lock.Unlock()
	if fail == nil {
		return nil
	}
	name := filepath.Base(path)
	if strings.Contains(name, "-") {
		name = "entry"
	}
	return fail(op + " " + name)
}

type faultFile struct {
	file
	disk *faultDisk
	path string
}

func (d *faultDisk) MkdirAll(dir string) error {
	if err := d.check("mkdir", dir); err != nil {
		return err
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.memDisk.MkdirAll(dir)
}

func (d *faultDisk) Create(path string) (file, error) { return d.Resume(path, 0) }

func (d *faultDisk) Resume(path string, at int64) (file, error) {
	if err := d.check("create", path); err != nil {
		return nil, err
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	f, err := d.memDisk.Resume(path, at)
	return faultFile{f, d, path}, err
}

func (d *faultDisk) Rename(from, to string) error {
	// Out of the queue or back into it under the same name, or a file to itself.
	if out := strings.Contains(from, queueDir) && !strings.Contains(to, removedPrefix); d.noRedo && (out || d.find(from) == nil || strings.Contains(from+to, redoSuffix)) {
		return nil
	}
	if err := d.check("rename", to); err != nil {
		return err
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.memDisk.Rename(from, to)
}

func (d *faultDisk) RemoveAll(path string) error {
	if err := d.check("remove", path); err != nil {
		return err
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.memDisk.RemoveAll(path)
}

// SyncDir, when it fails, forgets what was to be written, as the kernel does: only what changes after that is written.
func (d *faultDisk) SyncDir(dir string) error {
	err := d.check("syncdir", dir)
	d.lock.Lock()
	defer d.lock.Unlock()
	if err != nil {
		n := d.find(dir)
		d.pending = slices.DeleteFunc(d.pending, func(c change) bool {
			return slices.ContainsFunc(c, func(s setting) bool { return s.dir == n })
		})
		if d.trusting {
			return d.memDisk.SyncDir(dir)
		}
		return err
	}
	return d.memDisk.SyncDir(dir)
}

func (d *faultDisk) ReadDir(dir string) (e []fs.DirEntry, err error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.memDisk.ReadDir(dir)
}

func (f faultFile) Write(b []byte) (int, error) {
	err := f.disk.check("write", f.path)
	f.disk.lock.Lock()
	defer f.disk.lock.Unlock()
	if err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

// Sync, when it fails, takes the pages for clean: a later one succeeds and writes nothing of them.
func (f faultFile) Sync() error {
	err := f.disk.check("sync", f.path)
	f.disk.lock.Lock()
	defer f.disk.lock.Unlock()
	n := f.file.(*memFile).node
	if err != nil {
		n.dropped = len(n.data)
		if f.disk.trusting {
			n.synced = make([]byte, n.dropped)
			return nil
		}
		return err
	}
	if n.dropped > 0 { // zeros on the disk, where the dropped pages were to be
		n.synced = append(make([]byte, n.dropped), n.data[n.dropped:]...)
		return nil
	}
	return f.file.Sync()
}

// rig is a buffer at work on a disk that fails.
type rig struct {
	t      *testing.T
	disk   *faultDisk
	spool  *Spool
	buffer *Buffer
	stop   context.CancelFunc
	ended  chan error

	lock    sync.Mutex
	stored  map[string]bool
	trouble []string
	wrong   []string
	deaf    bool // nothing is expected to be told
}

// errorf notes what is wrong: in a mutant that is what is wanted.
func (r *rig) errorf(format string, args ...any) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// told are the codes of trouble that were told.
func (r *rig) told() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	return slices.Clone(r.trouble)
}

// judge fails the test for what is wrong.
func (r *rig) judge() {
	r.t.Helper()
	for _, w := range r.wrong {
		r.t.Error(w)
	}
}

func newRig(t *testing.T, cfg BufferConfig) *rig {
	return startRig(t, &faultDisk{memDisk: start(t)}, cfg)
}

func startRig(t *testing.T, d *faultDisk, cfg BufferConfig) *rig {
	r := &rig{t: t, disk: d, stored: map[string]bool{}, ended: make(chan error, 1)}
	c := cutConfig()
	c.MaxBytes = 64 << 20
	r.spool = newSpool(cutDir, c, d)
	cfg.Lost = func(id string, n int) SignFunc { return fakeRecord(fmt.Sprintf("lost %s %d", id, n)) }
	cfg.Trouble = func(tr Trouble) {
		r.lock.Lock()
		defer r.lock.Unlock()
		r.trouble = append(r.trouble, tr.Code)
	}
	if cfg.Linger == 0 {
		cfg.Linger = 10 * time.Second
	}
	r.buffer = NewBuffer(r.spool, cfg)
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.ended <- r.buffer.Run(ctx) }()
	return r
}

// clip records a clip of one part, and fails the test when the disk is waited for.
func (r *rig) clip(id string, body []byte) error {
	before := time.Now()
	defer func() {
		if d := time.Since(before); d > 0 {
			r.errorf("recording clip %s waited %v for the disk", id, d)
		}
	}()
	c, err := r.buffer.Create(id)
	if err != nil {
		return err
	}
	p, err := c.Part("clip")
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(body, 10<<10) {
		if _, err := p.Write(piece); err != nil {
			c.Abort()
			r.buffer.Append(id, fakeRecord("storage "+id), nil)
			return err
		}
		if len(body) > testMemory/2 {
			synctest.Wait() // lets the worker spill, where the disk lets it
		}
	}
	c.Commit(fakeRecord("clip "+id), func(e Entry, _ Wear) {
		r.lock.Lock()
		defer r.lock.Unlock()
		r.stored[e.ID] = true
	})
	return nil
}

func (r *rig) flush(within time.Duration) error {
	ctx, stop := context.WithTimeout(r.t.Context(), within)
	defer stop()
	return r.buffer.Flush(ctx)
}

func (r *rig) end() error {
	r.stop()
	return <-r.ended
}

// body of a clip, different for each.
func body(id string, n int) []byte { return bytes.Repeat([]byte(id+"."), n)[:n] }

// check cuts the power and looks at what the next process finds: each clip as it was, or declared.
func (r *rig) check(ids []string, size int) {
	mem := r.disk.memDisk
	mem.lose()
	s, err := openOn(mem)
	if err != nil {
		r.errorf("opened again: %v", err)
		return
	}
	if err := newLedger().note(s); err != nil {
		r.errorf("%v", err)
	}
	said := texts(s)
	for _, id := range ids {
		var found bool
		for e, ok := s.Next(0); ok; e, ok = s.Next(e.Seq) {
			if e.ID != id || len(e.Parts) == 0 {
				continue
			}
			b, err := s.disk.ReadFile(filepath.Join(s.entryDir(e), "clip"), 1<<30)
			if err != nil || !bytes.Equal(b, body(id, size)) {
				r.errorf("clip %s is not what was recorded: %d bytes, %v", id, len(b), err)
			}
			found = true
		}
		declared := slices.ContainsFunc(said, func(s string) bool {
			return strings.HasPrefix(s, "lost "+id+" ") || s == "storage "+id || s == "interrupted "+id || s == "evicted "+id
		})
		if r.stored[id] && !found && !slices.Contains(said, "evicted "+id) {
			r.errorf("clip %s was said to be stored and is not", id)
		}
		if !found && !declared {
			r.errorf("clip %s is gone without a word: %q", id, said)
		}
	}
}
