// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"
	"time"
)

// Codes of trouble with the disk.
const (
	TroubleFull     = "storage-full"
	TroubleReadOnly = "storage-read-only"
	TroubleSlow     = "storage-slow"
	TroubleError    = "storage-error"
)

// Trouble is what is wrong with the disk.
type Trouble struct {
	Code  string // empty when nothing is
	Err   error  // nil for TroubleSlow
	Since time.Time
}

// BufferStatus is what a buffer holds and how its disk does.
type BufferStatus struct {
	Trouble Trouble
	Items   int   // clips, the open one included, and losses that are not on disk
	Bytes   int64 // memory that they take
	GivenUp int   // clips that were given up for want of memory, since the start
}

// Pauses and limits of the worker.
const (
	slowAfter  = 2 * time.Second // an operation that takes longer is trouble
	watchEvery = 500 * time.Millisecond
	firstPause = 250 * time.Millisecond // after a failure
	lastPause  = 10 * time.Second

	expireEvery = time.Minute
)

// job is a kind of work, in the order in which a clip needs them.
type job int

const (
	jobNone job = iota
	jobOpen
	jobRemove
	jobBegin
	jobSpill
	jobFinish // a clip or a loss
)

// Status may be called from any goroutine, and does not wait for the disk.
func (b *Buffer) Status() BufferStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BufferStatus{b.trouble, len(b.items), b.memory, b.givenUp}
}

// Flush waits until nothing is left in memory, or ctx ends.
func (b *Buffer) Flush(ctx context.Context) error {
	for {
		b.mu.Lock()
		left, changed := len(b.items), b.changed
		b.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Until says when nothing more comes: Run goes on until then. It is called before Run; without it the end of Run's context is
// the end of everything.
func (b *Buffer) Until(last <-chan struct{}) { b.last = last }

// String names the task.
func (b *Buffer) String() string { return "spool" }

// Ready is closed when Run begins: a camera whose disk fails is a camera that records to memory.
func (b *Buffer) Ready() <-chan struct{} { return b.ready }

// Run writes what comes until ctx ends and nothing more comes, and then what is left, for as long as Config.Linger. What is
// not written by then is declared interrupted by the next Open, if its draft got so far; [Buffer.Status] tells how many. It
// returns an error only when another process has the spool.
func (b *Buffer) Run(ctx context.Context) error {
	close(b.ready)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- b.work(work) }()

	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	var told string
	var last <-chan struct{}
	var linger <-chan time.Time
	stopped := ctx.Done()
	for {
		select {
		case err := <-ended:
			return err
		case <-stopped:
			stopped = nil
			b.mu.Lock()
			b.stopping = true
			b.room.Broadcast()
			b.mu.Unlock()
			linger = time.After(b.cfg.Linger)
			if last = b.last; last == nil {
				b.close()
			}
		case <-last:
			last = nil
			b.close()
		case <-linger:
			stop()
		case <-watch.C:
			b.watch()
		case <-b.news:
		}
		if t := b.Status().Trouble; t.Code != told {
			told = t.Code
			if b.cfg.Trouble != nil {
				b.cfg.Trouble(t)
			}
		}
	}
}

func (b *Buffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closing = true
	notify(b.wake)
}

// watch finds an operation that takes long: it returns no error that would tell.
func (b *Buffer) watch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.began.IsZero() && time.Since(b.began) > slowAfter && b.trouble.Code == "" {
		b.trouble, b.failed = Trouble{Code: TroubleSlow, Since: b.began}, jobNone
	}
}

// work does one job after the other. After a failure it pauses, and tries again.
func (b *Buffer) work(ctx context.Context) error {
	pause := firstPause
	var tended time.Time
	for ctx.Err() == nil {
		c, j := b.next()
		if j == jobNone {
			if b.over() {
				return nil
			}
			if time.Since(tended) > expireEvery {
				b.tend()
				tended = time.Now()
			}
			select {
			case <-b.wake:
			case <-time.After(expireEvery):
			case <-ctx.Done():
			}
			continue
		}
		err := b.do(c, j)
		if errors.Is(err, ErrLocked) {
			return err
		}
		b.done(c, j, err)
		if errors.Is(err, fs.ErrNotExist) && b.spool.Vanished() {
			b.anew()
		}
		if err == nil {
			if b.Status().Trouble.Code == "" { // else only a step on the way succeeded
				pause = firstPause
			}
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// tend does what can wait until nothing else is to be done. What fails is tried again, and told by whatever is written next.
func (b *Buffer) tend() {
	b.mu.Lock()
	b.began = time.Now()
	b.mu.Unlock()
	_ = b.spool.Tend()
	b.mu.Lock()
	b.began = time.Time{}
	if b.trouble.Code == TroubleSlow {
		b.trouble = Trouble{}
	}
	b.mu.Unlock()
	notify(b.news)
}

// over tells whether nothing is left to do. A clip that is open when nothing more comes was cut off; its draft says so.
func (b *Buffer) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing && !slices.ContainsFunc(b.items, func(c *Clip) bool { return c.state != open })
}

// next picks what is to be done, the oldest clip first; an open one holds up nothing.
func (b *Buffer) next() (*Clip, job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, j := b.pick()
	if j != jobNone {
		b.began = time.Now()
	}
	if c != nil {
		c.busy = true
	}
	return c, j
}

func (b *Buffer) pick() (*Clip, job) {
	if !b.spool.Opened() {
		return nil, jobOpen // also without a clip: the entries in it are to be sent
	}
	if b.unsaid > 0 && len(b.items) < maxItems {
		b.items = append(b.items, &Clip{buffer: b, state: lost, sign: b.cfg.Lost("", b.unsaid)})
		b.unsaid = 0
	}
	for _, c := range b.items {
		switch {
		case c.state == aborted:
			return c, jobRemove
		case c.state == lost:
			return c, jobFinish
		case (c.draft == nil || c.anew) && c.entry.Seq == 0:
			return c, jobBegin
		case c.state == complete:
			return c, jobFinish
		case c.spillable() > 0:
			return c, jobSpill
		}
	}
	return nil, jobNone
}

// do does a job without the lock.
func (b *Buffer) do(c *Clip, j job) (err error) {
	if c == nil {
		if err = b.spool.Reopen(); err != nil {
			return err
		}
		if aside := b.spool.Aside(); aside != nil && b.cfg.Damage != nil {
			b.cfg.Damage(aside)
		}
		return nil
	}
	before := b.spool.Wear()
	defer func() {
		after := b.spool.Wear()
		c.wear.Bytes += after.Bytes - before.Bytes
		c.wear.Syncs += after.Syncs - before.Syncs
	}()
	switch j {
	case jobRemove:
		return c.remove()
	case jobBegin:
		return c.begin()
	case jobSpill:
		return c.spill()
	}
	return c.finish()
}

// done notes how a job ended, and lets a clip go that needs no more of them.
func (b *Buffer) done(c *Clip, j job, err error) {
	if err == nil && j == jobFinish {
		b.mu.Lock()
		stored := c.stored
		b.mu.Unlock()
		if stored != nil { // before the clip goes: who waits for Flush has been told of all
			stored(c.entry, c.wear)
		}
	}
	b.mu.Lock()
	b.began = time.Time{}
	if c != nil {
		c.busy = false
	}
	switch {
	case err == nil && (j == jobFinish || j == jobRemove):
		b.drop(c)
	case err != nil && c != nil && c.state == complete && permanent(c, err):
		b.giveUp(c)
	case err != nil && c != nil && c.state == lost && errors.Is(err, errSign): // nothing can declare it
		b.drop(c)
	}
	if err != nil {
		if code := codeOf(err); b.trouble.Code != code {
			b.trouble = Trouble{code, err, time.Now()}
		}
		b.failed = max(b.failed, j)
	} else if b.trouble.Code != "" && j >= b.failed { // a lesser job proves little: a full disk still begins clips
		b.trouble, b.failed = Trouble{}, jobNone
	}
	b.mu.Unlock()
	notify(b.news)
	if errors.Is(err, syscall.ENOSPC) && j >= jobBegin {
		_ = b.spool.Relieve() // what fails here fails again, and is told, in the next try
	}
}

// drop lets an item go. The caller holds the lock.
func (b *Buffer) drop(c *Clip) {
	c.free()
	b.items = slices.DeleteFunc(b.items, func(o *Clip) bool { return o == c })
	close(b.changed)
	b.changed = make(chan struct{})
}

// anew begins with everything that is in memory again: what of it was on disk is gone.
func (b *Buffer) anew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.items {
		freed := c.entry.Seq != 0 && c.held() == 0 && c.state == complete
		c.entry, c.anew, c.doubt = Entry{}, true, false
		if freed {
			b.giveUp(c)
		}
	}
}

// permanent tells whether trying again is of no use: the disk is not to blame, or what was spilled to it is gone.
func permanent(c *Clip, err error) bool {
	return errors.Is(err, errSign) || errors.Is(err, ErrFull) || c.spilled() && errors.Is(err, fs.ErrNotExist)
}

func codeOf(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, ErrFull):
		return TroubleFull
	case errors.Is(err, syscall.EROFS):
		return TroubleReadOnly
	}
	return TroubleError
}
