// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// patience is how long a test waits for what must come. It is no measure of speed.
const patience = 10 * time.Second

// A client speaks MQTT 3.1.1 by hand, and so can also speak it wrongly.
type client struct {
	t      *testing.T
	device string
	conn   net.Conn
	in     chan packets.Packet // closed when the hub ends the connection
	id     uint16
}

// dial connects with TLS and starts to read. The TLS handshake may have failed on the hub's side: with
// TLS 1.3 the client learns that by reading.
func dial(t *testing.T, addr string, cfg *tls.Config, device string) *client {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatalf("dial hub: %v", err)
	}
	c := &client{t: t, device: device, conn: conn, in: make(chan packets.Packet, 1024)}
	t.Cleanup(func() { conn.Close() })
	go c.read()
	return c
}

// connect is a dial and a CONNECT that the hub takes.
func connect(t *testing.T, addr string, cfg *tls.Config, device string) *client {
	t.Helper()
	c := dial(t, addr, cfg, device)
	c.connect(nil)
	if pk, ok := c.next(); !ok || pk.FixedHeader.Type != packets.Connack || pk.ReasonCode != 0 {
		t.Fatalf("%s: no CONNACK but %+v", device, pk.FixedHeader)
	}
	return c
}

// connect sends a CONNECT that change has altered.
func (c *client) connect(change func(*packets.Packet)) {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4,
		Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: c.device, Keepalive: 30, Clean: true},
	}
	if change != nil {
		change(&pk)
	}
	var b bytes.Buffer
	if err := pk.ConnectEncode(&b); err != nil {
		c.t.Fatal(err)
	}
	c.write(b.Bytes())
}

// write sends bytes; that the hub may have ended the connection shows in reading.
func (c *client) write(b []byte) { c.conn.Write(b) }

func (c *client) read() {
	defer close(c.in)
	r := bufio.NewReader(c.conn)
	for {
		b, err := r.ReadByte()
		if err != nil {
			return
		}
		pk := packets.Packet{ProtocolVersion: 4}
		if pk.FixedHeader.Decode(b) != nil {
			return
		}
		if pk.FixedHeader.Remaining, _, err = packets.DecodeLength(r); err != nil {
			return
		}
		body := make([]byte, pk.FixedHeader.Remaining)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		switch pk.FixedHeader.Type {
		case packets.Connack:
			err = pk.ConnackDecode(body)
		case packets.Publish:
			err = pk.PublishDecode(body)
			if err == nil && pk.FixedHeader.Qos == 1 {
				c.write([]byte{packets.Puback << 4, 2, byte(pk.PacketID >> 8), byte(pk.PacketID)})
			}
		case packets.Puback:
			err = pk.PubackDecode(body)
		case packets.Suback:
			err = pk.SubackDecode(body)
		}
		if err != nil {
			return
		}
		c.in <- pk
	}
}

// next returns the next packet; false when the hub ended the connection.
func (c *client) next() (packets.Packet, bool) {
	c.t.Helper()
	select {
	case pk, ok := <-c.in:
		return pk, ok
	case <-time.After(patience):
		c.t.Fatalf("%s: the hub says nothing", c.device)
		return packets.Packet{}, false
	}
}

// publishes returns the messages until the connection ends or a packet of type until comes.
func (c *client) publishes(until byte) (got []packets.Packet, open bool) {
	c.t.Helper()
	for {
		pk, ok := c.next()
		switch {
		case !ok:
			return got, false
		case pk.FixedHeader.Type == packets.Publish:
			got = append(got, pk)
		case pk.FixedHeader.Type == until:
			return got, true
		}
	}
}

// ended waits until the hub has ended the connection, and returns the messages that came before.
func (c *client) ended() []packets.Packet {
	c.t.Helper()
	got, _ := c.publishes(0)
	return got
}

func (c *client) subscribe(filter string) {
	c.t.Helper()
	c.id++
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: 4, PacketID: c.id,
		Filters: packets.Subscriptions{{Filter: filter, Qos: 1}},
	}
	var b bytes.Buffer
	if err := pk.SubscribeEncode(&b); err != nil {
		c.t.Fatal(err)
	}
	c.write(b.Bytes())
}

func (c *client) publish(topic string, payload []byte, qos byte) {
	c.t.Helper()
	c.id++
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, ProtocolVersion: 4, PacketID: c.id,
		TopicName: topic, Payload: payload,
	}
	var b bytes.Buffer
	if err := pk.PublishEncode(&b); err != nil {
		c.t.Fatal(err)
	}
	c.write(b.Bytes())
}

// ping returns the messages that came before the hub's answer.
func (c *client) ping() (got []packets.Packet, open bool) {
	c.t.Helper()
	c.write([]byte{packets.Pingreq << 4, 0})
	return c.publishes(packets.Pingresp)
}

func (c *client) offer(e camera.Entry) {
	c.t.Helper()
	b, err := wire.Offer{Record: string(e.JWS)}.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	c.publish(wire.Topic(c.device, wire.UpOffer), b, 1)
}

func (c *client) chunk(e camera.Entry, part wire.Part, from, to int) {
	c.t.Helper()
	data := e.Body
	if part == wire.PartDetails {
		data = e.Details
	}
	id, err := hex.DecodeString(e.ID())
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := wire.Chunk{Part: part, Clip: [16]byte(id), Offset: uint64(from), Data: data[from:to]}.AppendTo(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.publish(wire.Topic(c.device, wire.UpChunk), b, 1)
}

// reply waits for the next message of a kind.
func (c *client) reply(kind wire.Kind) []byte {
	c.t.Helper()
	for {
		pk, ok := c.next()
		if !ok {
			c.t.Fatalf("%s: the hub ended the connection, want %v", c.device, kind)
		}
		// A hub that is at work for long says that it is there in between.
		if pk.FixedHeader.Type != packets.Publish || kind != wire.DownWelcome && pk.TopicName == wire.Topic(c.device, wire.DownWelcome) {
			continue
		}
		if pk.TopicName != wire.Topic(c.device, kind) {
			c.t.Fatalf("%s: %s %s, want %v", c.device, pk.TopicName, pk.Payload, kind)
		}
		return pk.Payload
	}
}

func (c *client) have() wire.Have {
	c.t.Helper()
	h, err := wire.ParseHave(c.reply(wire.DownHave))
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

func (c *client) refused() wire.Refuse {
	c.t.Helper()
	r, err := wire.ParseRefuse(c.reply(wire.DownRefuse))
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// send offers an entry, sends what the hub lacks and returns the receipt.
func (c *client) send(e camera.Entry) []byte {
	c.t.Helper()
	c.offer(e)
	if e.Clip == nil {
		return c.reply(wire.DownReceipt)
	}
	c.rest(e, c.have())
	return c.reply(wire.DownReceipt)
}

// rest sends what the hub does not have.
func (c *client) rest(e camera.Entry, h wire.Have) {
	c.t.Helper()
	const size = 64 << 10
	for at := int(h.Body); at < len(e.Body); at += size {
		c.chunk(e, wire.PartBody, at, min(at+size, len(e.Body)))
	}
	for at := int(h.Details); at < len(e.Details); at += size {
		c.chunk(e, wire.PartDetails, at, min(at+size, len(e.Details)))
	}
}
