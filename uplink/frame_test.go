// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// framed is a packet as its fixed header has it.
type framed struct {
	first  byte
	length int
}

// frames goes through a stream in pieces of a size.
func frames(stream []byte, size int) (all []framed, sound int, err error) {
	var f framing
	for piece := range slices.Chunk(stream, size) {
		n, err := f.feed(piece, func(first byte, length int) error {
			all = append(all, framed{first, length})
			return nil
		})
		sound += n
		if err != nil {
			return all, sound, err
		}
	}
	return all, sound, nil
}

// pahos are the packets that paho reads from a stream. It stops where paho does, and before what paho would make room for
// that is not there; then more is set. endless says that a length has no end, which paho does not see.
func pahos(t *testing.T, stream []byte) (all []framed, more, endless bool) {
	for r := bytes.NewReader(stream); r.Len() > 1; {
		begin := stream[len(stream)-r.Len():]
		length, digits := binary.Uvarint(begin[1:min(5, len(begin))])
		switch {
		case digits == 0:
			return all, false, len(begin) >= 5
		case length > 64<<10:
			return append(all, framed{begin[0], int(length)}), true, false
		}
		_, err := packets.ReadPacket(r)
		took := len(begin) - r.Len() - 1 - digits
		if kind := begin[0] >> 4; kind == 0 || kind == 15 {
			return append(all, framed{begin[0], int(length)}), true, false
		}
		if errors.Is(err, io.EOF) && r.Len() == 0 || errors.Is(err, io.ErrUnexpectedEOF) {
			if took > int(length) {
				t.Fatalf("paho took %d bytes of %d", took, length)
			}
			took = int(length) // which did not all come
		}
		all = append(all, framed{begin[0], took})
	}
	return all, false, false
}

// FuzzFraming finds the same packets as paho does, however the stream is cut.
func FuzzFraming(f *testing.F) {
	var good bytes.Buffer
	for _, kind := range []byte{packets.Connack, packets.Suback, packets.Puback, packets.Publish, packets.Pingresp} {
		p := packets.NewControlPacket(kind)
		if m, ok := p.(*packets.PublishPacket); ok {
			m.TopicName, m.Payload, m.Qos = "nightjar/v1/porch/down/have", make([]byte, 300), 1
		}
		if err := p.Write(&good); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(good.Bytes())
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 1, 2})       // 256 MiB, the most there is
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x04, 1, 2})       // 8 MiB
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f})       // a fifth byte
	f.Add([]byte{0x40, 0x82, 0x00, 1, 2, 0xd0, 0x80, 0x00}) // longer than need be
	f.Add([]byte{0xd0, 0x00, 0x30, 0x80})                   // cut
	f.Fuzz(func(t *testing.T, stream []byte) {
		want, more, endless := pahos(t, stream)
		for _, size := range []int{len(stream) + 1, 1, 3} {
			got, sound, err := frames(stream, size)
			if len(got) < len(want) || !slices.Equal(got[:len(want)], want) || !more && len(got) != len(want) {
				t.Fatalf("in pieces of %d: %v, paho reads %v", size, got, want)
			}
			if !more && (err != nil) != endless || err != nil && !errors.Is(err, errLength) {
				t.Fatalf("in pieces of %d: error %v, a length without end: %v", size, err, endless)
			}
			if sound > len(stream) || err == nil && sound != len(stream) {
				t.Fatalf("in pieces of %d: %d of %d bytes are sound, error %v", size, sound, len(stream), err)
			}
		}
	})
}
