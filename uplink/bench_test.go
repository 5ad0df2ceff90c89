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

// BenchmarkTransfer compares a clip's way from the spool into the hub's store, receipt included, with the same bytes
// published by the bare MQTT client to a broker that forgets them. Both use mutually authenticated TLS 1.3.
func BenchmarkTransfer(b *testing.B) {
	const size = 8 << 20
	b.Run("session", func(b *testing.B) {
		s := newSite(b, 0)
		session := s.session(b)
		run(b, session)
		await(b, "the connection", func() bool { return session.Status().Connected })
		b.SetBytes(size)
		for b.Loop() {
			b.StopTimer()
			e := s.clip(b, size)
			b.StartTimer()
			for changed := s.spool.Changed(); next(s.spool) == e.Seq; changed = s.spool.Changed() {
				<-changed
			}
		}
	})
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
				wait(uplink.Window - 1)
				inFlight = append(inFlight, client.Publish(wire.Topic("porch", wire.UpChunk), 1, false, payload))
			}
			wait(0)
		}
	})
}
