// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A slow hook holds up the goroutine of the first connection that ends, at one of two places: before its will is sent, or where
// the broker has made up its mind to clear away under the device's name.
type slow struct {
	mqtt.HookBase
	where byte
	once  sync.Once
	at    chan struct{} // closed when one is held up
	on    chan struct{} // lets it go
}

func newSlow(where byte) *slow {
	return &slow{where: where, at: make(chan struct{}), on: make(chan struct{})}
}

func (s *slow) ID() string                                  { return "slow" }
func (s *slow) Provides(b byte) bool                        { return b == s.where }
func (s *slow) OnUnsubscribed(*mqtt.Client, packets.Packet) { s.hold() }
func (s *slow) OnWill(_ *mqtt.Client, will mqtt.Will) (mqtt.Will, error) {
	s.hold()
	return will, nil
}

func (s *slow) hold() {
	first := false
	s.once.Do(func() { first = true })
	if first {
		close(s.at)
		<-s.on
	}
}

// comeBack has a device come back while its former connection is held up at its end: until the new one is taken, or for 2 s. It
// tells whether the hub is heard on the new connection, and whether it takes the device for online.
func comeBack(t *testing.T, where byte, wait time.Duration) (heard, online bool) {
	slow := newSlow(where)
	s := newSite(t, hub.SeatWait(wait), hub.Hook(slow))
	former := dial(t, s.Addr, s.tls, "porch")
	former.connect(func(pk *packets.Packet) {
		pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, wire.Topic("porch", wire.UpStatus), statusOf(t, wire.Offline)
	})
	former.subscribe(wire.Filter("porch"))
	former.ping() // it is subscribed
	former.conn.Close()
	<-slow.at
	again := dial(t, s.Addr, s.tls, "porch")
	again.connect(nil)
	again.subscribe(wire.Filter("porch"))
	again.write([]byte{packets.Pingreq << 4, 0})
	var connack packets.Packet
	select {
	case connack = <-again.in:
		again.publishes(packets.Pingresp)
		if where == mqtt.OnWill {
			again.publish(wire.Topic("porch", wire.UpStatus), statusOf(t, wire.Online), 1)
			again.publishes(packets.Puback)
		}
	case <-time.After(2 * time.Second):
	}
	close(slow.on)
	s.Log.Await(t, "connection-broken-off") // the former one is through
	if connack.FixedHeader.Type == 0 {
		connack, _ = again.next()
		again.publishes(packets.Pingresp)
	}
	if connack.FixedHeader.Type != packets.Connack || connack.ReasonCode != 0 {
		t.Fatalf("no CONNACK but %+v", connack.FixedHeader)
	}
	if wait != 0 {
		heard = again.welcomed(patience)
	} else if where == mqtt.OnUnsubscribed {
		heard = again.welcomed(time.Second)
	}
	log := s.Log.Written()
	return heard, strings.LastIndex(log, "device is online") > strings.LastIndex(log, "device is offline")
}

func statusOf(t *testing.T, state wire.State) []byte {
	t.Helper()
	b, err := wire.Status{State: state, Release: "test", Boot: "1"}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// welcomed says that the camera is there, and tells whether the hub answers that with a welcome.
func (c *client) welcomed(within time.Duration) bool {
	c.t.Helper()
	c.publish(wire.Topic(c.device, wire.UpStatus), statusOf(c.t, wire.Online), 1)
	for late := time.After(within); ; {
		select {
		case pk, open := <-c.in:
			if !open {
				c.t.Fatal("the hub ended the connection")
			}
			if pk.TopicName == wire.Topic(c.device, wire.DownWelcome) {
				return true
			}
		case <-late:
			return false
		}
	}
}

func TestDeviceThatComesBack(t *testing.T) {
	for name, where := range ends {
		t.Run(name, func(t *testing.T) {
			if heard, online := comeBack(t, where, 30*time.Second); !heard || !online {
				t.Errorf("the hub is heard on the new connection: %v, takes the device for online: %v", heard, online)
			}
		})
	}
}

// ends are where a former connection may be held up.
var ends = map[string]byte{"before its will": mqtt.OnWill, "clearing away": mqtt.OnUnsubscribed}

// Without the wait the former connection removes the new one from the broker, or has the last word on whether the device is there.
func TestMutantDeviceThatComesBack(t *testing.T) {
	if heard, _ := comeBack(t, mqtt.OnUnsubscribed, 0); heard {
		t.Error("the hub is heard without the wait: the test above proves nothing")
	}
	if _, online := comeBack(t, mqtt.OnWill, 0); online {
		t.Error("the device is taken for online without the wait: the test above proves nothing")
	}
}

// A device whose former connection does not end is turned away, and let in when that has ended.
func TestSeatIsTaken(t *testing.T) {
	slow := newSlow(mqtt.OnUnsubscribed)
	s := newSite(t, hub.SeatWait(100*time.Millisecond), hub.Hook(slow))
	s.connect(t).conn.Close()
	<-slow.at
	for range 2 { // a device that was turned away leaves the seat to who has it
		again := dial(t, s.Addr, s.tls, "porch")
		again.connect(nil)
		if pk, open := again.next(); open {
			t.Errorf("the hub answers %+v", pk.FixedHeader)
		}
	}
	if m := s.Log.Await(t, string(hub.RefusedBusy)); m.Error == "" {
		t.Errorf("the hub logs %+v", m)
	}
	close(slow.on)
	s.Log.Await(t, "connection-broken-off")
	if !s.connect(t).welcomed(patience) {
		t.Error("the hub says nothing")
	}
}

// Of many connections of a device at a time one remains, the hub is heard on it, and the others have ended.
func TestManyConnectionsOfADevice(t *testing.T) {
	s := newSite(t)
	var all []*client
	for range 8 {
		c := dial(t, s.Addr, s.tls, "porch")
		all = append(all, c)
		c.connect(nil)
	}
	open := make(chan *client, len(all))
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() {
			for pk := range c.in {
				if pk.FixedHeader.Type == packets.Pingresp {
					open <- c
				}
			}
		})
	}
	end := time.Now().Add(patience)
	for time.Now().Before(end) && s.Log.Count("connection-broken-off") < len(all)-1 {
		time.Sleep(10 * time.Millisecond)
	}
	for _, c := range all {
		c.write([]byte{packets.Pingreq << 4, 0})
	}
	var last *client
	select {
	case last = <-open:
	case <-time.After(patience):
		t.Fatal("no connection remains")
	}
	for _, c := range all {
		if c != last {
			c.conn.Close()
		}
	}
	last.conn.Close()
	wg.Wait()
	if len(open) > 0 {
		t.Error("more than one connection remains")
	}
}
