// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faultDisk is a memDisk for several goroutines, whose operations fail or take long while a test says so.
type faultDisk struct {
	*memDisk
	lock sync.Mutex
	fail func(op string) error // before the operation; op is such as "sync clip"
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
	r.t.Helper()
	before := time.Now()
	defer func() {
		if d := time.Since(before); d > 0 {
			r.t.Errorf("recording clip %s waited %v for the disk", id, d)
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
	r.t.Helper()
	mem := r.disk.memDisk
	mem.lose()
	s, err := openOn(mem)
	if err != nil {
		r.t.Fatalf("opened again: %v", err)
	}
	if err := newLedger().note(s); err != nil {
		r.t.Error(err)
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
				r.t.Errorf("clip %s is not what was recorded: %d bytes, %v", id, len(b), err)
			}
			found = true
		}
		declared := slices.ContainsFunc(said, func(s string) bool {
			return strings.HasPrefix(s, "lost "+id+" ") || s == "storage "+id || s == "interrupted "+id || s == "evicted "+id
		})
		if r.stored[id] && !found {
			r.t.Errorf("clip %s was said to be stored and is not", id)
		}
		if !found && !declared {
			r.t.Errorf("clip %s is gone without a word: %q", id, said)
		}
	}
}

const testMemory = 1 << 20

func TestBufferWritesClips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		ids := []string{"a", "b", "c"}
		for _, id := range ids {
			if err := r.clip(id, body(id, 100<<10)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		r.buffer.Append("", fakeRecord("loss"), nil)
		if err := r.flush(time.Minute); err != nil {
			t.Error(err)
		}
		if got, want := texts(r.spool), []string{"clip a", "clip b", "clip c", "loss"}; !slices.Equal(got, want) {
			t.Errorf("queue: %q, want %q", got, want)
		}
		if s := r.buffer.Status(); s.Items != 0 || s.Bytes != 0 || s.Trouble.Code != "" {
			t.Errorf("status: %+v", s)
		}
		if w := r.spool.Wear(); w.Bytes < 300<<10 || w.Bytes > 300<<10+ballastBytes+16<<10 {
			t.Errorf("%d bytes written for 300 KiB of clips", w.Bytes)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		r.check(ids, 100<<10)
	})
}

// troubles are the ways a disk fails, each at one operation or at all.
var troubles = map[string]error{TroubleError: syscall.EIO, TroubleFull: syscall.ENOSPC, TroubleReadOnly: syscall.EROFS}

var operations = []string{
	"", "mkdir a", "syncdir tmp", "create clip", "write clip", "sync clip", "create record", "write record", "sync record", "syncdir a",
	"rename entry", "syncdir queue", "create head.new", "write head.new", "sync head.new", "rename head", "syncdir spool", "remove a",
}

// Whatever the disk refuses and for however long: nobody waits, it is told at once, all is written once it works again, in the
// same process, and nothing is lost when the power fails after that.
func TestBufferHeals(t *testing.T) {
	for code, failure := range troubles {
		for _, op := range operations {
			for _, size := range []int{20 << 10, 700 << 10} { // kept in memory, and spilled
				t.Run(fmt.Sprintf("%s, %s, %d", code, op, size), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { heals(t, code, failure, op, size) })
				})
			}
		}
	}
}

func heals(t *testing.T, code string, failure error, op string, size int) {
	r := newRig(t, BufferConfig{Memory: testMemory})
	synctest.Wait()
	var failed int
	r.disk.set(func(this string) error {
		if op == "" || this == op {
			failed++
			return failure
		}
		return nil
	})
	ids := []string{"a", "b"}
	for _, id := range ids {
		_ = r.clip(id, body(id, size)) // refused when there is no memory for it: then it is declared
	}
	time.Sleep(5 * time.Second)
	if failed > 0 && op != "remove a" && !slices.Contains(r.trouble, code) {
		t.Errorf("after 5 s of %v nothing was told but %q", failure, r.trouble)
	}
	time.Sleep(5 * time.Minute)
	r.disk.set(nil)
	if err := r.flush(lastPause + time.Second); err != nil {
		t.Errorf("the disk works again, but nothing is written: %v, %+v", err, r.buffer.Status())
	}
	synctest.Wait()
	if s := r.buffer.Status(); s.Trouble.Code != "" || s.Bytes != 0 {
		t.Errorf("status: %+v", s)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
	r.check(ids, size)
}

// An fsync of 5 s holds nothing up, and is told while it lasts.
func TestBufferSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		synctest.Wait()
		r.disk.set(func(op string) error {
			if strings.HasPrefix(op, "sync") {
				time.Sleep(5 * time.Second)
			}
			return nil
		})
		var ids []string
		for i := range 5 {
			id := fmt.Sprint("c", i)
			ids = append(ids, id)
			if err := r.clip(id, body(id, 100<<10)); err != nil {
				t.Error(err)
			}
			time.Sleep(4 * time.Second)
			if i == 0 && !slices.Contains(r.trouble, TroubleSlow) {
				t.Errorf("not told after 4 s: %q", r.trouble)
			}
		}
		r.disk.set(nil)
		if err := r.flush(time.Minute); err != nil {
			t.Error(err)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			if !r.stored[id] {
				t.Errorf("clip %s is not stored", id)
			}
		}
		r.check(ids, 100<<10)
	})
}

// A disk that takes nothing: memory stays bounded, the oldest clips go and are declared, in the end.
func TestBufferIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		synctest.Wait()
		r.disk.set(func(string) error { return syscall.EROFS })
		var ids []string
		for i := range 50 {
			id := fmt.Sprint("c", i)
			ids = append(ids, id)
			if err := r.clip(id, body(id, 100<<10)); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
			if s := r.buffer.Status(); s.Bytes > testMemory {
				t.Fatalf("%d bytes of %d in memory", s.Bytes, testMemory)
			}
		}
		for range 3 * maxItems {
			r.buffer.Append("", fakeRecord("loss"), nil)
		}
		if s := r.buffer.Status(); s.Items > maxItems || s.GivenUp == 0 {
			t.Errorf("status: %+v", s)
		}
		r.disk.set(nil)
		if err := r.flush(time.Minute); err != nil {
			t.Error(err)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if r.stored["c0"] || !r.stored["c49"] {
			t.Error("not the oldest were given up")
		}
		if said := texts(r.spool); !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "lost  ") }) {
			t.Error("losses beyond the bound are not counted")
		}
		r.check(ids, 100<<10)
	})
}

// One clip larger than the memory, on a disk that takes nothing, is refused; on one that works it is spilled.
func TestBufferSpills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		synctest.Wait()
		r.disk.set(func(string) error { return syscall.EIO })
		if err := r.clip("big", body("big", 2*testMemory)); !errors.Is(err, ErrMemory) {
			t.Errorf("a clip larger than memory on a broken disk: %v", err)
		}
		r.disk.set(nil)
		if err := r.flush(time.Minute); err != nil {
			t.Error(err)
		}
		c, err := r.buffer.Create("long")
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Part("clip")
		if err != nil {
			t.Fatal(err)
		}
		for piece := range slices.Chunk(body("long", 4*testMemory), 64<<10) {
			if _, err := p.Write(piece); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		c.Commit(fakeRecord("clip long"), nil)
		if err := r.flush(time.Minute); err != nil {
			t.Error(err)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		r.check([]string{"big"}, 2*testMemory)
		r.check([]string{"long"}, 4*testMemory)
	})
}

// The end of the context is not the end of the clips: what is in memory is written, for a while.
func TestBufferLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory, Linger: time.Minute})
		recorded := make(chan struct{})
		r.buffer.Until(recorded)
		synctest.Wait()
		r.stop()
		synctest.Wait()
		if err := r.clip("a", body("a", 1000)); err != nil { // closed in good order after the signal
			t.Error(err)
		}
		close(recorded)
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		if !r.stored["a"] {
			t.Error("the last clip was not written")
		}
		r.check([]string{"a"}, 1000)

		r = newRig(t, BufferConfig{Memory: testMemory, Linger: time.Minute})
		if err := r.clip("b", body("b", 1000)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		r.disk.set(func(op string) error { return syscall.EIO })
		if err := r.clip("c", body("c", 1000)); err != nil {
			t.Error(err)
		}
		before := time.Now()
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if d := time.Since(before); d > time.Minute+lastPause {
			t.Errorf("went on for %v", d)
		}
		if r.buffer.Status().Items != 1 {
			t.Errorf("status: %+v", r.buffer.Status())
		}
	})
}
