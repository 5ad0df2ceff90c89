// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// MaxChunk is the most data in a chunk: brokers have limits on packets. It is also the most that a camera has on its way.
const MaxChunk = 128 << 10

const (
	chunkVersion = 1
	chunkHead    = 1 + 1 + 16 + 8
)

// Part says which of a clip's two sealed files a chunk is of.
type Part uint8

const (
	PartBody    Part = 1
	PartDetails Part = 2
)

// Chunk is a piece of a sealed file. Its encoding is binary:
//
//	version u8 = 1 | part u8 | clip id 16 bytes | offset u64 big-endian | data, 1 to MaxChunk bytes
type Chunk struct {
	Part   Part
	Clip   [16]byte
	Offset uint64 // of the data in the file
	Data   []byte
}

// AppendTo appends the encoding to b.
func (c Chunk) AppendTo(b []byte) ([]byte, error) {
	if err := c.valid(); err != nil {
		return nil, fmt.Errorf("encode chunk: %w", err)
	}
	b = slices.Grow(b, chunkHead+len(c.Data))
	b = append(b, chunkVersion, byte(c.Part))
	b = append(b, c.Clip[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Offset)
	return append(b, c.Data...), nil
}

// ParseChunk decodes a chunk; its Data is part of b.
func ParseChunk(b []byte) (Chunk, error) {
	if len(b) < chunkHead {
		return Chunk{}, fmt.Errorf("decode chunk: %d bytes, fewer than a head", len(b))
	}
	if b[0] != chunkVersion {
		return Chunk{}, fmt.Errorf("decode chunk: version %d", b[0])
	}
	c := Chunk{Part: Part(b[1]), Clip: [16]byte(b[2:18]), Offset: binary.BigEndian.Uint64(b[18:26]), Data: b[chunkHead:]}
	if err := c.valid(); err != nil {
		return Chunk{}, fmt.Errorf("decode chunk: %w", err)
	}
	return c, nil
}

func (c Chunk) valid() error {
	switch {
	case c.Part != PartBody && c.Part != PartDetails:
		return fmt.Errorf("part %d", c.Part)
	case len(c.Data) == 0 || len(c.Data) > MaxChunk:
		return fmt.Errorf("%d bytes of data, must be 1 to %d", len(c.Data), MaxChunk)
	case c.Offset > 1<<62:
		return fmt.Errorf("offset %d", c.Offset)
	}
	return nil
}
