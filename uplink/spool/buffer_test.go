// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

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
		r.judge()
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
					synctest.Test(t, func(t *testing.T) {
						r := newRig(t, BufferConfig{Memory: testMemory})
						r.heals(code, failure, op, size, 5*time.Minute)
						r.judge()
					})
				})
			}
		}
	}
}

// heals records two clips while an operation fails, for that long or, for 0, once.
func (r *rig) heals(code string, failure error, op string, size int, long time.Duration) {
	synctest.Wait()
	var failed atomic.Int32
	r.disk.set(func(this string) error {
		if (op == "" || this == op) && (long > 0 || failed.Load() == 0) {
			failed.Add(1)
			return failure
		}
		return nil
	})
	ids := []string{"a", "b"}
	for _, id := range ids {
		_ = r.clip(id, body(id, size)) // refused when there is no memory for it: then it is declared
	}
	time.Sleep(5 * time.Second)
	if failed.Load() > 0 && op != "remove a" && !r.deaf && !slices.Contains(r.told(), code) {
		r.errorf("after 5 s of %v nothing was told but %q", failure, r.told())
	}
	time.Sleep(long)
	r.disk.set(nil)
	if err := r.flush(lastPause + time.Second); err != nil {
		r.errorf("the disk works again, but nothing is written: %v, %+v", err, r.buffer.Status())
	}
	synctest.Wait()
	if s := r.buffer.Status(); s.Trouble.Code != "" || s.Bytes != 0 {
		r.errorf("status: %+v", s)
	}
	if err := r.end(); err != nil {
		r.errorf("%v", err)
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
			if i == 0 && !slices.Contains(r.told(), TroubleSlow) {
				t.Errorf("not told after 4 s: %q", r.told())
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
		r.judge()
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
		r.judge()
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
		r.judge()
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
		r.judge()

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

// A record that cannot be signed is no fault of the disk: its clip is declared lost, and nothing else waits for it.
func TestBufferUnsigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		fails := func(uint64, [32]byte, []Part) ([]byte, error) { return nil, errors.New("no key") }
		c, err := r.buffer.Create("a")
		if err != nil {
			t.Fatal(err)
		}
		c.Commit(fails, nil)
		r.buffer.Append("", fails, nil)
		if err := r.clip("b", body("b", 1000)); err != nil {
			t.Error(err)
		}
		if err := r.flush(time.Minute); err != nil {
			t.Error(err)
		}
		if got, want := texts(r.spool), []string{"lost a 1", "clip b"}; !slices.Equal(got, want) {
			t.Errorf("records %q, want %q", got, want)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		r.judge()
	})
}

// A clip whose first part was spilled, and whose next write fails, is whole all the same.
func TestBufferSpillFailsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		synctest.Wait()
		var synced int
		r.disk.set(func(op string) error {
			if op == "sync clip" {
				if synced++; synced == 2 {
					return syscall.EIO
				}
			}
			return nil
		})
		if err := r.clip("a", body("a", 900<<10)); err != nil {
			t.Error(err)
		}
		if err := r.flush(time.Minute); err != nil || synced < 3 {
			t.Errorf("%d fsyncs: %v", synced, err)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		r.check([]string{"a"}, 900<<10)
		r.judge()
	})
}

// A disk that is full below the spool's bound gives up the oldest clip for the newest, and has the room to say so.
func TestBufferMakesRoomOnFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory})
		synctest.Wait()
		const room = 10 * 100 << 10
		r.disk.set(func(op string) error {
			if strings.HasPrefix(op, "create") || strings.HasPrefix(op, "write") || strings.HasPrefix(op, "mkdir") {
				r.disk.lock.Lock()
				defer r.disk.lock.Unlock()
				if r.disk.root.used() >= room {
					return syscall.ENOSPC
				}
			}
			return nil
		})
		var ids []string
		for i := range 20 {
			id := fmt.Sprint("c", i)
			ids = append(ids, id)
			if err := r.clip(id, body(id, 100<<10)); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}
		s := r.buffer.Status()
		if err := r.flush(time.Minute); err != nil || s.GivenUp > 0 {
			t.Errorf("%v, %+v", err, s)
		}
		if !r.stored["c19"] {
			t.Error("the newest clip is not stored")
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		r.disk.set(nil)
		r.check(ids, 100<<10)
		r.judge()
	})
}
