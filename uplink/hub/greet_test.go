// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// newGreeter makes one for so many devices, a client, and a count of what is said to it.
func newGreeter(t *testing.T, devices int) (g *greeter, cl *mqtt.Client, far net.Conn, heard *atomic.Pointer[[]wire.Welcome]) {
	t.Helper()
	server := mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { server.Close() })
	heard = new(atomic.Pointer[[]wire.Welcome])
	heard.Store(&[]wire.Welcome{})
	err := server.Subscribe(wire.Topic("porch", wire.DownWelcome), 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		w, err := wire.ParseWelcome(pk.Payload)
		if err != nil {
			t.Error(err)
		}
		all := append(*heard.Load(), w)
		heard.Store(&all)
	})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	cl = server.NewClient(near, "pipe", "porch", false)
	tell := func(device string, kind wire.Kind, payload []byte) bool {
		return server.Publish(wire.Topic(device, kind), payload, false, 0) == nil
	}
	return &greeter{tell: tell, count: func() int { return devices }, every: breath}, cl, far, heard
}

func TestBusyHubTellsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, cl, far, heard := newGreeter(t, 1000)
		cl.Net.Conn.SetWriteDeadline(time.Now().Add(12 * time.Second)) // as the broker does by the keep-alive
		start := time.Now()
		done := g.reassure(cl)
		time.Sleep(time.Minute + time.Second)
		// The deadline was put off: what the hub has to say still goes out.
		go far.Read(make([]byte, 1))
		if _, err := cl.Net.Conn.Write([]byte{0}); err != nil {
			t.Errorf("after a minute the hub cannot say anything: %v", err)
		}
		done()
		time.Sleep(time.Minute)
		said := *heard.Load()
		if len(said) != int(time.Minute/breath) {
			t.Errorf("said so %d times within a minute", len(said))
		}
		if w := said[0]; !w.Time.Equal(start.Add(breath)) || w.Spread != 40 {
			t.Errorf("said %+v", w)
		}
	})
}

func TestQuickMessageIsNotCommentedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, cl, _, heard := newGreeter(t, 3)
		for range 100 {
			done := g.reassure(cl)
			time.Sleep(breath / 2)
			done()
		}
		if n := len(*heard.Load()); n != 0 {
			t.Errorf("%d welcomes", n)
		}
		g.welcome("porch")
		if w := (*heard.Load())[0]; w.Spread != 0 {
			t.Errorf("three cameras are told to spread over %d s", w.Spread)
		}
	})
}
