// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

func TestConnectIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*packets.Packet)
		code   hub.Refused
	}{
		"another client id":   {func(pk *packets.Packet) { pk.Connect.ClientIdentifier = "garage" }, hub.RefusedConnect},
		"MQTT 5":              {func(pk *packets.Packet) { pk.ProtocolVersion = 5 }, hub.RefusedConnect},
		"no keep-alive":       {func(pk *packets.Packet) { pk.Connect.Keepalive = 0 }, hub.RefusedConnect},
		"keep-alive of a day": {func(pk *packets.Packet) { pk.Connect.Keepalive = 65535 }, hub.RefusedConnect},
		"will for another device": {func(pk *packets.Packet) {
			pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, wire.Topic("garage", wire.UpStatus), []byte("{}")
		}, hub.RefusedTopic},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c := dial(t, s.Addr, s.tls, "porch")
			c.connect(row.change)
			if pk, ok := c.next(); ok && pk.ReasonCode == 0 {
				t.Errorf("the hub answers %+v", pk)
			}
			wantRefused(t, s.Hub, row.code)
		})
	}
}

// A camera that publishes under another one's name achieves nothing: no device's store changes, nobody
// hears of it, and the connection ends.
func TestPublishAsAnotherDevice(t *testing.T) {
	for _, row := range []struct {
		kind wire.Kind
		qos  byte
	}{{wire.UpOffer, 0}, {wire.UpOffer, 1}, {wire.DownReceipt, 1}} {
		t.Run(fmt.Sprintf("%s QoS %d", row.kind, row.qos), func(t *testing.T) {
			s := newSite(t)
			if stored, heard, open := publishAsGarage(t, s, row.kind, row.qos); stored > 0 || heard > 0 || open {
				t.Errorf("%d records stored, %d messages heard, open %v", stored, heard, open)
			}
			wantRefused(t, s.Hub, hub.RefusedTopic)
		})
	}
	if stored, _, _ := publishAsGarage(t, newSite(t, hub.AllowAll), wire.UpOffer, 1); stored == 0 {
		t.Error("without the access rule nothing is stored either: the test proves nothing")
	}
}

// publishAsGarage has porch publish a record of its own on a topic of garage's. It returns how many
// records any device has then, how many messages reached garage, and whether porch is still connected.
func publishAsGarage(t *testing.T, s *site, kind wire.Kind, qos byte) (stored, heard int, open bool) {
	t.Helper()
	_, garageTLS, _ := enrol(t, s.Hub, "garage")
	garage := connect(t, s.Addr, garageTLS, "garage")
	garage.subscribe(wire.Filter("garage"))
	b, err := wire.Offer{Record: string(s.cam.Loss(record.Overflow, "").JWS)}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, s.Addr, s.tls, "porch")
	c.publish(wire.Topic("garage", kind), b, qos)
	_, open = c.ping()
	got, _ := garage.ping()
	for _, device := range []string{"porch", "garage"} {
		n, err := s.Device(t, device).Count()
		if err != nil {
			t.Fatal(err)
		}
		stored += n
	}
	return stored, len(got), open
}

// Authorisation is judged by what is delivered, not by what SUBACK grants.
func TestSubscribeToOthers(t *testing.T) {
	for _, filter := range []string{"#", "+/+/+/+/+", wire.Prefix + "garage/down/#", wire.Prefix + "+/down/receipt",
		wire.Prefix + "garage/up/#", "$SYS/#", "$share/x/" + wire.Prefix + "garage/down/#", wire.Prefix + "porch/#"} {
		t.Run(filter, func(t *testing.T) {
			s := newSite(t)
			if n := overheard(t, s, filter); n > 0 {
				t.Errorf("%d messages heard", n)
			}
			wantRefused(t, s.Hub, hub.RefusedTopic)
		})
	}
	s := newSite(t, hub.AllowAll)
	if n := overheard(t, s, "#"); n == 0 {
		t.Error("without the access rule nothing is heard either: the test proves nothing")
	}
}

// overheard returns how many messages porch gets by a filter while garage talks with the hub.
func overheard(t *testing.T, s *site, filter string) int {
	t.Helper()
	cam, garageTLS, _ := enrol(t, s.Hub, "garage")
	spy := connect(t, s.Addr, s.tls, "porch")
	spy.subscribe(filter)
	before, _ := spy.ping() // the subscription is decided on
	garage := connect(t, s.Addr, garageTLS, "garage")
	garage.subscribe(wire.Filter("garage"))
	garage.send(cam.Clip(blob(1000, 1), nil))
	after, _ := spy.ping()
	return len(before) + len(after)
}

func TestOfferOfOneTiB(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	e := s.cam.ClipWith(nil, nil, func(r *record.Record) { r.Clip.Body.Size = 1 << 40 })
	c.offer(e)
	if r := c.refused(); r.Code != wire.CodeSize || r.Seq != 1 || r.Clip != e.ID() {
		t.Errorf("refusal %+v", r)
	}
	if n := incoming(t, s.Dir); n > 0 {
		t.Errorf("%d files in incoming", n)
	}
	wantRefused(t, s.Hub, hub.Refused(wire.CodeSize))
}

func TestChunkBeyondOfferedSize(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	e := s.cam.Clip(blob(1000, 1), blob(10, 2))
	c.offer(e)
	c.have()
	longer := e
	longer.Body = blob(2000, 1)
	c.chunk(longer, wire.PartBody, 500, 1500)
	if r := c.refused(); r.Code != wire.CodeSize || r.Seq != 1 || r.Clip != e.ID() {
		t.Errorf("refusal %+v", r)
	}
	// The clip itself is still welcome.
	c.rest(e, wire.Have{})
	c.reply(wire.DownReceipt)
	s.wantStored(t, "porch", 1, 1)
}

// incoming counts the files of unfinished clips.
func incoming(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "incoming"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A packet is refused by the length it claims, before any of it is read.
func TestPacketThatClaimsOneGiB(t *testing.T) {
	for name, connected := range map[string]bool{"first packet": false, "chunk": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			var c *client
			head := byte(packets.Connect << 4)
			if connected {
				c, head = s.connect(t), packets.Publish<<4|1<<1
			} else {
				c = dial(t, s.Addr, s.tls, "porch")
			}
			c.write([]byte{head, 0xff, 0xff, 0xff, 0x7f}) // 256 MiB - 1, all that four digits of 7 bits can say
			c.ended()
			wantRefused(t, s.Hub, hub.RefusedPacket)
		})
	}
	t.Run("five length digits", func(t *testing.T) {
		s := newSite(t)
		c := s.connect(t)
		c.write([]byte{packets.Publish<<4 | 1<<1, 0x80, 0x80, 0x80, 0x80, 0x04}) // 1 GiB, which MQTT cannot say
		c.ended()
		wantRefused(t, s.Hub, hub.RefusedProtocol)
	})
	t.Run("just too large", func(t *testing.T) {
		s := newSite(t)
		c := s.connect(t)
		c.publish(wire.Topic("porch", wire.UpChunk), make([]byte, hub.MaxPacket), 1)
		c.ended()
		wantRefused(t, s.Hub, hub.RefusedPacket)
	})
}

func TestMalformedMessages(t *testing.T) {
	for name, kind := range map[string]wire.Kind{"offer": wire.UpOffer, "chunk": wire.UpChunk, "status": wire.UpStatus} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c := s.connect(t)
			c.publish(wire.Topic("porch", kind), []byte("{"), 1)
			if got := c.ended(); len(got) > 0 {
				t.Errorf("%d messages", len(got))
			}
			wantRefused(t, s.Hub, hub.RefusedMessage)
		})
	}
}

// A record that another key signed, or of another device, is refused by code; the camera may go on.
func TestForgedRecord(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	forger := camera.New("porch")
	c.offer(forger.Clip(blob(10, 1), nil))
	if r := c.refused(); r.Code != wire.CodeMalformed {
		t.Errorf("refusal %+v", r)
	}
	c.send(s.cam.Clip(blob(10, 1), nil))
	s.wantStored(t, "porch", 1, 1)
}
