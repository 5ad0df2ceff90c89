// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
)

// GapError says that records From to To, inclusive, are missing.
type GapError struct{ From, To uint64 }

func (e *GapError) Error() string {
	if e.From == e.To {
		return fmt.Sprintf("record %d is missing", e.From)
	}
	return fmt.Sprintf("records %d to %d are missing", e.From, e.To)
}

// ForkError says that record Seq is of another history than the record checked before it: it names another predecessor, or the
// number was used twice.
type ForkError struct{ Seq uint64 }

func (e *ForkError) Error() string {
	return fmt.Sprintf("record %d does not belong to the history before it", e.Seq)
}

// Chain checks a camera's records one after another, from the first.
type Chain struct {
	device string
	pub    ed25519.PublicKey
	seq    uint64
	prev   [32]byte
}

// NewChain starts at the first record of the device, whose identity key is pub.
func NewChain(device string, pub ed25519.PublicKey) *Chain {
	return &Chain{device: device, pub: pub}
}

// Next checks the next record. A *[GapError] or *[ForkError] comes together with the record, which is valid in itself, and the
// chain goes on from it; after any other error the record counts for nothing and the chain stays where it was.
func (c *Chain) Next(jws []byte) (Record, error) {
	r, err := Verify(c.pub, jws)
	if err != nil {
		return Record{}, err
	}
	if r.Device != c.device {
		return Record{}, fmt.Errorf("record %d is of device %q, not %q", r.Seq, r.Device, c.device)
	}
	hash := Hash(jws)
	if r.Seq < c.seq || r.Seq == c.seq && hash == c.prev {
		return Record{}, fmt.Errorf("record %d comes after record %d", r.Seq, c.seq)
	}
	switch {
	case r.Seq == c.seq:
		err = &ForkError{Seq: r.Seq}
	case r.Seq > c.seq+1:
		err = &GapError{From: c.seq + 1, To: r.Seq - 1}
	case r.Prev != hex.EncodeToString(c.prev[:]):
		err = &ForkError{Seq: r.Seq}
	}
	c.seq, c.prev = r.Seq, hash
	return r, err
}

// Head returns the last record's sequence number and hash; 0 and zeros before the first.
func (c *Chain) Head() (seq uint64, hash [32]byte) { return c.seq, c.prev }
