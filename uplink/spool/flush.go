// SPDX-License-Identifier: Apache-2.0

package spool

import "slices"

// begin makes the clip's draft, also in place of one that failed.
func (c *Clip) begin() error {
	if c.draft != nil {
		if err := c.draft.Abort(); err != nil {
			return err
		}
	}
	draft, err := c.buffer.spool.Create(c.id)
	if err != nil {
		return err
	}
	c.draft, c.anew = draft, false
	return nil
}

// failedWrite prepares the next try after a write that failed: everything anew, and if that is not in memory any more, at least
// with something to fsync.
func (c *Clip) failedWrite() {
	c.buffer.mu.Lock()
	defer c.buffer.mu.Unlock()
	if c.spilled() {
		c.doubt = true
	} else {
		c.anew = true
	}
}

// redo makes good what an earlier failure left in doubt.
func (c *Clip) redo() error {
	if !c.doubt {
		return nil
	}
	if err := c.draft.Redo(); err != nil {
		return err
	}
	c.doubt = false
	return nil
}

// spill writes an open clip's full blocks to its draft, and lets their memory go.
func (c *Clip) spill() error {
	if err := c.redo(); err != nil {
		return err
	}
	for _, p := range c.snapshot((*ClipPart).full) {
		if err := c.draft.Extend(p.name, p.base, p.blocks); err != nil {
			c.failedWrite()
			return err
		}
		c.buffer.mu.Lock()
		if c.state != aborted { // else the memory is gone already
			for _, b := range p.blocks {
				p.part.base += int64(len(b))
				c.buffer.memory -= int64(cap(b))
			}
			p.part.blocks = slices.Clone(p.part.blocks[len(p.blocks):])
			c.buffer.room.Broadcast()
		}
		c.buffer.mu.Unlock()
	}
	return nil
}

// written is a part as it is to be written.
type written struct {
	part   *ClipPart
	name   string
	base   int64
	blocks [][]byte
}

// snapshot returns the parts' blocks that which says, and what else writing them needs.
func (c *Clip) snapshot(which func(*ClipPart) [][]byte) (all []written) {
	c.buffer.mu.Lock()
	defer c.buffer.mu.Unlock()
	for _, p := range c.parts {
		if blocks := which(p); len(blocks) > 0 || c.state == complete {
			all = append(all, written{p, p.name, p.base, blocks})
		}
	}
	return all
}

// finish commits a complete clip, or the record that declares a lost one.
func (c *Clip) finish() (err error) {
	s := c.buffer.spool
	switch {
	case c.entry.Seq != 0: // it is in the queue since a try before
		err = s.Settle()
	case c.state == lost:
		c.entry, err = s.Append(c.id, c.sign)
	default:
		if err = c.commit(); err != nil && c.entry.Seq == 0 {
			c.failedWrite()
		}
	}
	if err == nil && c.state == lost && c.draft != nil {
		err = c.draft.Abort() // declared first: a cut between the two declares it twice
	}
	return err
}

func (c *Clip) commit() error {
	if err := c.redo(); err != nil {
		return err
	}
	var parts []Part
	for _, p := range c.snapshot(func(p *ClipPart) [][]byte { return p.blocks }) {
		if len(p.blocks) > 0 || p.base == 0 {
			if err := c.draft.Extend(p.name, p.base, p.blocks); err != nil {
				return err
			}
		}
		parts = append(parts, Part{p.name, p.part.size, [32]byte(p.part.hash.Sum(nil))})
	}
	c.draft.SetParts(parts)
	if c.note != "" {
		if err := c.draft.SetNote(c.note); err != nil {
			return err
		}
	}
	var err error
	c.entry, err = c.draft.Commit(c.sign)
	return err
}

// remove removes an aborted clip's draft.
func (c *Clip) remove() error {
	if c.draft == nil {
		return nil
	}
	return c.draft.Abort()
}
