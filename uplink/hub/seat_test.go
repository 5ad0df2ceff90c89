// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A slow hook holds up the goroutine of the first connection that ends, where the broker has made up its mind to clear away
// under the device's name.
type slow struct {
	mqtt.HookBase
	once sync.Once
	at   chan struct{} // closed when one is held up
	on   chan struct{} // lets it go
}

func newSlow() *slow { return &slow{at: make(chan struct{}), on: make(chan struct{})} }

func (s *slow) ID() string           { return "slow" }
func (s *slow) Provides(b byte) bool { return b == mqtt.OnUnsubscribed }

func (s *slow) OnUnsubscribed(*mqtt.Client, packets.Packet) {
	first := false
	s.once.Do(func() { first = true })
	if first {
		close(s.at)
		<-s.on
	}
}

// comeBack has a device come back while its former connection is being cleared away, which takes until it is through with that,
// or 2 s longer. It tells whether the hub is heard on the new connection.
func comeBack(t *testing.T, wait time.Duration) (heard bool) {
	slow := newSlow()
	s := newSite(t, hub.SeatWait(wait), hub.Hook(slow))
	former := s.connect(t)
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
	if wait == 0 {
		return again.welcomed(time.Second)
	}
	return again.welcomed(patience)
}

// welcomed says that the camera is there, and tells whether the hub answers that with a welcome.
func (c *client) welcomed(within time.Duration) bool {
	c.t.Helper()
	status, err := wire.Status{State: wire.Online, Release: "test", Boot: "1"}.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	c.publish(wire.Topic(c.device, wire.UpStatus), status, 1)
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

func TestDeviceThatComesBackIsHeard(t *testing.T) {
	if !comeBack(t, 30*time.Second) {
		t.Error("the hub says nothing on the new connection")
	}
}

// Without the wait the broker lets the former connection remove the new one.
func TestMutantDeviceThatComesBackIsNotHeard(t *testing.T) {
	if comeBack(t, 0) {
		t.Error("the hub is heard without the wait: the test above proves nothing")
	}
}

// A device whose former connection does not end is turned away, and let in when that has ended.
func TestSeatIsTaken(t *testing.T) {
	slow := newSlow()
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
