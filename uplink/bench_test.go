// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// BenchmarkTransfer compares a clip's way out of the spool with the same bytes published by the bare MQTT client, over the
// same mutually authenticated TLS 1.3 to the same broker, which forgets them. The third figure is of the session and a real
// hub, which has the clip on its disk in the end.
func BenchmarkTransfer(b *testing.B) {
	const size = 8 << 20
	b.Run("session", func(b *testing.B) {
		s := newSite(b, 0)
		key := s.receiptKey(b)
		var receipt message
		var seq uint64
		var details int64 // that came: a camera offers again until the hub has them
		f := newFake(b, s, func(r record.Record, jws []byte, _ int) []message {
			if r.Seq != seq {
				seq, details = r.Seq, 0
			}
			receipt = s.receipt(b, key, r, jws, genuine)
			have, err := wire.Have{Seq: r.Seq, Clip: r.Clip.ID, Details: details}.Marshal()
			if err != nil {
				b.Error(err)
			}
			return []message{{wire.DownHave, have}}
		})
		f.chunk = func(c wire.Chunk) {
			if c.Part == wire.PartDetails {
				details = int64(c.Offset) + int64(len(c.Data))
			}
			if c.Part == wire.PartBody && c.Offset+uint64(len(c.Data)) == size {
				f.say(receipt)
			}
		}
		transfer(b, s, size)
	})
	b.Run("hub", func(b *testing.B) { transfer(b, newSite(b, 0), size) })
	b.Run("paho", func(b *testing.B) {
		s := newSite(b, 0)
		newFake(b, s, func(record.Record, []byte, int) []message { return nil })
		client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("ssl://" + s.cred.Hub).SetTLSConfig(s.cred.ClientTLS()).
			SetClientID("porch").SetProtocolVersion(4).SetOrderMatters(false).SetAutoReconnect(false))
		if t := client.Connect(); t.Wait() && t.Error() != nil {
			b.Fatal(t.Error())
		}
		defer client.Disconnect(100)
		payload := make([]byte, uplink.ChunkBytes)
		b.SetBytes(size)
		for b.Loop() {
			var inFlight []mqtt.Token
			wait := func(n int) {
				for ; len(inFlight) > n; inFlight = inFlight[1:] {
					if t := inFlight[0]; !t.WaitTimeout(time.Minute) || t.Error() != nil {
						b.Fatal(t.Error())
					}
				}
			}
			for range size / len(payload) {
				wait(uplink.MostFlight/uplink.ChunkBytes - 1)
				inFlight = append(inFlight, client.Publish(wire.Topic("porch", wire.UpChunk), 1, false, payload))
			}
			wait(0)
		}
	})
}

// transfer ships clips from the site's spool; committing them does not count, removing them does.
func transfer(b *testing.B, s *site, size int) {
	session := s.session(b)
	run(b, session)
	await(b, "the connection", func() bool { return session.Status().Connected })
	b.SetBytes(int64(size))
	for b.Loop() {
		b.StopTimer()
		e := s.clip(b, size)
		b.StartTimer()
		for changed := s.spool.Changed(); next(s.spool) == e.Seq; changed = s.spool.Changed() {
			<-changed
		}
	}
}
