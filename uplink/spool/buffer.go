// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"
)

// BufferConfig of a buffer.
type BufferConfig struct {
	// Memory bounds the bytes of all clips that are not on disk, at least 64 KiB. When a clip needs more, the oldest complete
	// one is given up, as the full spool gives up its oldest: what happens now is worth more than what happened then.
	Memory int64
	// Wait makes Write wait for room instead, for a source that can wait.
	Wait bool
	// Lost returns the record that declares that a clip was given up; with an empty id, that n losses could not be kept in mind.
	Lost func(id string, n int) SignFunc
	// Trouble is told when the disk begins or ceases to fail; the code is empty when all is well. Run's goroutine calls it.
	Trouble func(Trouble)
	// Damage is told what could not be read when the buffer opens the spool, see [Spool.Aside].
	Damage func(error)
	// Linger bounds how long Run goes on after its context, once nothing more comes.
	Linger time.Duration
}

// ErrMemory is returned when a clip does not fit in memory, and the disk takes nothing.
var ErrMemory = errors.New("no memory is left for clips: the disk fails or is too slow")

// Bounds of a buffer.
const (
	maxItems   = 1024    // clips and losses that wait
	maxBlock   = 1 << 20 // bytes
	spillBytes = 4 << 20 // of an open clip
)

// Buffer takes clips in memory, so that who records them never waits for the disk, and writes them to a spool in a task of its
// own. A clip is written once, in large blocks, when it is complete; one that grows beyond some MiB is written as it grows. While
// the disk fails everything stays in memory and is tried again, until it works: no restart is needed.
type Buffer struct {
	spool *Spool
	cfg   BufferConfig
	ready chan struct{}
	wake  chan struct{} // something to do, for the worker
	news  chan struct{} // something to tell, for Run
	last  <-chan struct{}

	mu       sync.Mutex
	room     sync.Cond
	items    []*Clip // oldest first
	memory   int64   // bytes of blocks
	unsaid   int     // losses beyond maxItems
	givenUp  int
	stopping bool // nobody waits any more
	closing  bool // nothing more comes
	trouble  Trouble
	failed   job       // that the trouble is about
	began    time.Time // the operation that is under way; zero for none
	changed  chan struct{}
}

// NewBuffer makes a buffer in front of a spool, which need not be open: the buffer's task opens it.
func NewBuffer(s *Spool, cfg BufferConfig) *Buffer {
	b := &Buffer{spool: s, cfg: cfg, ready: make(chan struct{}), wake: make(chan struct{}, 1), news: make(chan struct{}, 1), changed: make(chan struct{})}
	b.room.L = &b.mu
	return b
}

// state of a clip.
type state int

const (
	open     state = iota
	complete       // to be committed
	lost           // to be declared lost
	aborted        // to be removed
)

// Clip is an entry in memory. One goroutine writes it; it ends with Commit or Abort. No method waits for the disk.
type Clip struct {
	buffer *Buffer
	id     string

	// Under the buffer's lock.
	state  state
	busy   bool // the worker is at it
	parts  []*ClipPart
	note   string
	sign   SignFunc
	stored func(Entry, Wear)

	// The worker's alone.
	draft *Draft
	anew  bool  // a write failed: the draft is to be begun again
	doubt bool  // a write failed after some of it had been spilled
	entry Entry // committed, but perhaps not durable
	wear  Wear
}

// Create begins a clip.
func (b *Buffer) Create(id string) (*Clip, error) {
	if !validName(id) {
		return nil, fmt.Errorf("begin clip: id %.80q must be 1 to 64 of a-z and 0-9", id)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) >= maxItems {
		return nil, fmt.Errorf("begin clip %s: %d wait for the disk: %w", id, len(b.items), ErrMemory)
	}
	c := &Clip{buffer: b, id: id}
	b.add(c)
	return c, nil
}

// Append takes a record without files. The id names what it is about and may be empty. It is never refused: beyond a bound
// records are only counted, and the count declared later.
func (b *Buffer) Append(id string, sign SignFunc, stored func(Entry, Wear)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) >= maxItems {
		b.unsaid++
		return
	}
	b.add(&Clip{buffer: b, id: id, state: lost, sign: sign, stored: stored})
}

// add puts an item in the line. The caller holds the lock.
func (b *Buffer) add(c *Clip) {
	b.items = append(b.items, c)
	notify(b.wake)
}

// Part begins a file of the clip.
func (c *Clip) Part(name string) (*ClipPart, error) {
	if !validPart(name) {
		return nil, fmt.Errorf("clip %s: %q cannot name a part", c.id, name)
	}
	c.buffer.mu.Lock()
	defer c.buffer.mu.Unlock()
	p := &ClipPart{clip: c, name: name, hash: sha256.New()}
	c.parts = append(c.parts, p)
	return p, nil
}

// SetNote is [Draft.SetNote].
func (c *Clip) SetNote(word string) error {
	if !validNote(word) {
		return fmt.Errorf("clip %s: note %.80q must be 1 to %d of a-z and 0-9", c.id, word, maxNote)
	}
	c.buffer.mu.Lock()
	defer c.buffer.mu.Unlock()
	c.note = word
	return nil
}

// Commit hands the clip over. It is not on disk yet: the worker calls stored when it is, with what was written for it.
func (c *Clip) Commit(sign SignFunc, stored func(Entry, Wear)) {
	c.buffer.mu.Lock()
	defer c.buffer.mu.Unlock()
	c.state, c.sign, c.stored = complete, sign, stored
	notify(c.buffer.wake)
}

// Abort throws the clip away. Who aborts declares the loss, with Append.
func (c *Clip) Abort() {
	c.buffer.mu.Lock()
	defer c.buffer.mu.Unlock()
	c.free()
	c.state = aborted
	notify(c.buffer.wake)
}

// free lets the clip's memory go. The caller holds the lock.
func (c *Clip) free() {
	for _, p := range c.parts {
		for _, b := range p.blocks {
			c.buffer.memory -= int64(cap(b))
		}
		p.blocks = nil
	}
	c.buffer.room.Broadcast()
}

// held is how much memory the clip has. The caller holds the lock.
func (c *Clip) held() (n int64) {
	for _, p := range c.parts {
		for _, b := range p.blocks {
			n += int64(cap(b))
		}
	}
	return n
}

// spilled tells whether some of the clip is on disk only. The caller holds the lock.
func (c *Clip) spilled() bool {
	for _, p := range c.parts {
		if p.base > 0 {
			return true
		}
	}
	return false
}

// ClipPart writes one file of a clip.
type ClipPart struct {
	clip *Clip
	name string
	hash hash.Hash

	// Under the buffer's lock.
	base   int64 // bytes that are on disk only
	size   int64
	blocks [][]byte // what is behind; all but the last are full
}

var _ io.Writer = (*ClipPart)(nil)

// Write copies p to memory. It fails with [ErrMemory] when there is no room, and what was given up cannot make any.
func (p *ClipPart) Write(data []byte) (int, error) {
	p.hash.Write(data)
	b := p.clip.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	for left := data; len(left) > 0; {
		n := len(p.blocks)
		if n == 0 || len(p.blocks[n-1]) == b.block() {
			p.blocks = append(p.blocks, nil)
			n++
		}
		last := p.blocks[n-1]
		take := min(len(left), b.block()-len(last))
		if need := len(last) + take; need > cap(last) {
			grown := min(b.block(), max(4<<10, 2*cap(last), need))
			if err := b.makeRoom(p.clip, int64(grown-cap(last))); err != nil {
				return len(data) - len(left), err
			}
			n = len(p.blocks) // the worker may have spilled the full ones meanwhile
			b.memory += int64(grown - cap(last))
			last = append(make([]byte, 0, grown), last...)
		}
		p.blocks[n-1] = append(last, left[:take]...)
		p.size += int64(take)
		left = left[take:]
	}
	if p.clip.spillable() > 0 {
		notify(b.wake)
	}
	return len(data), nil
}

// block is how large a block is.
func (b *Buffer) block() int { return int(min(maxBlock, b.cfg.Memory/16)) }

// spillable is how many bytes of an open clip are to be written now: its full blocks, once it is large. The caller holds the
// lock.
func (c *Clip) spillable() (n int64) {
	for _, p := range c.parts {
		n += int64(len(p.full())) * int64(c.buffer.block())
	}
	if n < min(spillBytes, c.buffer.cfg.Memory/4) {
		return 0
	}
	return n
}

// full returns the blocks that nothing is added to any more.
func (p *ClipPart) full() [][]byte {
	n := len(p.blocks)
	if n > 0 && len(p.blocks[n-1]) < p.clip.buffer.block() {
		n--
	}
	return p.blocks[:n]
}

// makeRoom sees that need more bytes fit in memory. The caller holds the lock, and may lose it meanwhile.
func (b *Buffer) makeRoom(own *Clip, need int64) error {
	for b.memory+need > b.cfg.Memory {
		if b.cfg.Wait && !b.stopping {
			notify(b.wake)
			b.room.Wait()
			continue
		}
		victim := b.oldest(own)
		if victim == nil {
			return fmt.Errorf("clip %s: %w", own.id, ErrMemory)
		}
		b.giveUp(victim)
	}
	return nil
}

// oldest returns the oldest complete clip that holds memory. One that the worker writes just now is not given up: the memory would
// be in use as long as it writes, and it may be safe the next moment.
func (b *Buffer) oldest(not *Clip) *Clip {
	for _, c := range b.items {
		if c.state == complete && !c.busy && c != not && c.held() > 0 {
			return c
		}
	}
	return nil
}

// giveUp makes a clip a loss to be declared. The caller holds the lock.
func (b *Buffer) giveUp(c *Clip) {
	c.free()
	if c.entry.Seq != 0 { // it is in the queue already, and only its fsync is in doubt
		return
	}
	c.state, c.sign, c.stored = lost, b.cfg.Lost(c.id, 1), nil
	b.givenUp++
	notify(b.wake)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
