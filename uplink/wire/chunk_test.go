// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

func TestChunkRoundTrip(t *testing.T) {
	for _, want := range []wire.Chunk{
		chunk,
		{Part: wire.PartBody, Data: []byte{0}},
		{Part: wire.PartBody, Offset: 1 << 62, Data: make([]byte, wire.MaxChunk)},
	} {
		b, err := want.AppendTo([]byte("before"))
		if err != nil || !bytes.HasPrefix(b, []byte("before")) {
			t.Fatalf("encoded %.20q, %v", b, err)
		}
		got, err := wire.ParseChunk(b[len("before"):])
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("error %v, chunk (-want +got):\n%s", err, diff)
		}
	}
}

func TestChunkBounds(t *testing.T) {
	good, err := chunk.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	head := good[:len(good)-len(chunk.Data)]
	at := func(i int, b byte) []byte {
		changed := bytes.Clone(good)
		changed[i] = b
		return changed
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "cut head": head[:len(head)-1], "no data": head, "too much data": append(bytes.Clone(head), make([]byte, wire.MaxChunk+1)...),
		"version": at(0, 2), "part 0": at(1, 0), "part 3": at(1, 3), "offset": at(18, 0x80),
	} {
		if c, err := wire.ParseChunk(b); err == nil {
			t.Errorf("%s: got %+v", name, c)
		}
	}
	for name, c := range map[string]wire.Chunk{
		"part":          {Part: 3, Data: []byte{0}},
		"no data":       {Part: wire.PartBody},
		"too much data": {Part: wire.PartBody, Data: make([]byte, wire.MaxChunk+1)},
		"offset":        {Part: wire.PartBody, Offset: 1<<62 + 1, Data: []byte{0}},
	} {
		if b, err := c.AppendTo(nil); err == nil {
			t.Errorf("%s: encoded %d bytes", name, len(b))
		}
	}
}

// FuzzParseChunk checks that a chunk has one encoding.
func FuzzParseChunk(f *testing.F) {
	good, err := chunk.AppendTo(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := wire.ParseChunk(b)
		if err != nil {
			return
		}
		if again, err := c.AppendTo(nil); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q is encoded as %q, %v", b, again, err)
		}
	})
}
