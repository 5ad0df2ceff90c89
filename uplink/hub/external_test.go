// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// newBrokeredSite is a site whose camera and hub meet at a broker that keeps nobody apart. The access list is the business of
// cmd/internal/faults, with the real mosquitto.
func newBrokeredSite(t *testing.T, setup ...func(*hub.Hub)) (s *site, broker string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker = l.Addr().String()
	h := hubtest.Start(t, append(setup, hub.BehindBroker(broker))...)
	serveBroker(t, h, l)
	h.Log.Await(t, "broker-reached")
	credential := h.Enroll(t, "porch")
	if credential.MQTT != broker || credential.Broker() != broker || credential.Hub != h.Addr {
		t.Fatalf("the camera is told of the broker %q, and of the hub %q", credential.MQTT, credential.Hub)
	}
	s = &site{Hub: h}
	s.cam, s.tls, s.key = enrol(t, h, "porch")
	return s, broker
}

// A laxHook lets everyone do everything.
type laxHook struct{ mqtt.HookBase }

func (laxHook) Provides(b byte) bool                                    { return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck }
func (laxHook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }
func (laxHook) OnACLCheck(*mqtt.Client, string, bool) bool              { return true }

// serveBroker runs a broker with the files that CertifyBroker makes.
func serveBroker(t *testing.T, h *hubtest.Hub, l net.Listener) {
	t.Helper()
	out := t.TempDir()
	if _, err := hub.CertifyBroker(h.Dir, out); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(out, "broker.crt"), filepath.Join(out, "broker.key"))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(out, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pem)
	l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert})
	server := mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(laxHook), nil); err != nil {
		t.Fatal(err)
	}
	if err := server.AddListener(listeners.NewNet("tls", l)); err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
}

func status(t *testing.T, c *client, state wire.State) {
	t.Helper()
	payload, err := wire.Status{State: state, Release: "r", Boot: "b"}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	c.publish(wire.Topic(c.device, wire.UpStatus), payload, 1)
}

func connected(s hub.Status) bool { return len(s.Cameras) == 1 && s.Cameras[0].Connected }

func TestExternalBroker(t *testing.T) {
	s, broker := newBrokeredSite(t, hub.LookOften)
	c := connect(t, broker, s.tls, "porch")
	c.subscribe(wire.Filter("porch"))
	status(t, c, wire.Online)
	c.reply(wire.DownWelcome)
	awaitStatus(t, s.Hub, func(s hub.Status) bool { return connected(s) && s.Broker.Connected && s.Broker.Addr == broker })
	if _, err := hub.NewOrder(s.Dir, "porch", "status", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	c.reply(wire.DownCommand)
	// Large enough that a chunk out of order would show.
	c.send(s.cam.Clip(blob(2<<20, 1), blob(100, 2)))
	s.wantStored(t, "porch", 1, 1)
	status(t, c, wire.Offline)
	awaitStatus(t, s.Hub, func(s hub.Status) bool { return !connected(s) })
}

// The broker goes on serving a camera that is revoked, or that the hub does not know. The hub does not hear it.
func TestExternalBrokerIgnores(t *testing.T) {
	s, broker := newBrokeredSite(t)
	c := connect(t, broker, s.tls, "porch")
	c.subscribe(wire.Filter("porch"))
	revoke(t, s)
	entry := s.cam.Clip(blob(100, 1), blob(10, 2))
	c.offer(entry)
	s.Log.Await(t, string(hub.RefusedRevoked))
	s.wantStored(t, "porch", 0, 0)
	stranger := connect(t, broker, s.tls, "stranger")
	status(t, stranger, wire.Online)
	s.Log.Await(t, string(hub.RefusedUnknownDevice))

	if err := store.Reinstate(s.Dir, "porch"); err != nil {
		t.Fatal(err)
	}
	c.send(entry)
	s.wantStored(t, "porch", 1, 1)
}

// What the hub's own broker ends a session for, is passed over, and what comes next is taken.
func TestExternalBrokerNonsense(t *testing.T) {
	s, broker := newBrokeredSite(t)
	c := connect(t, broker, s.tls, "porch")
	c.subscribe(wire.Filter("porch"))
	for _, topic := range []string{"nightjar/v1/porch/up/offer", "nightjar/v1/porch/up/chunk", "nightjar/v1/porch/up/none", "nightjar/v1/Porch/up/offer"} {
		c.publish(topic, []byte("nonsense"), 1)
	}
	s.Log.Await(t, string(hub.RefusedMessage))
	c.send(s.cam.Clip(blob(100, 1), blob(10, 2)))
	s.wantStored(t, "porch", 1, 1)
}

// A device that comes to the hub itself is refused by its certificate, which makes it renew, and learn of the broker.
func TestExternalBrokerElsewhere(t *testing.T) {
	s, _ := newBrokeredSite(t)
	conn, err := tls.Dial("tcp", s.Addr, s.tls)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("refused with %v, want an error about the certificate: the camera renews by that word", err)
	}
	s.Log.Await(t, string(hub.RefusedElsewhere))
}

// A hub whose broker is not of its CA says so and sends it nothing.
func TestExternalBrokerForeign(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := hubtest.Start(t)
	serveBroker(t, other, l)
	h := hubtest.Start(t, hub.LookOften, hub.BehindBroker(l.Addr().String()))
	if m := h.Log.Await(t, "broker-lost"); !strings.Contains(m.Error, "broker certificate") {
		t.Errorf("says %q", m.Error)
	}
	awaitStatus(t, h, func(s hub.Status) bool {
		return !s.Broker.Connected && strings.Contains(s.Broker.Trouble, "broker certificate")
	})
	if h.Log.Count("broker-reached") > 0 {
		t.Error("it trusts a foreign broker")
	}
}

// A packet whose head promises too much ends the connection before anybody makes room for it, however the bytes are cut.
func TestBounded(t *testing.T) {
	good := append([]byte{0x30, 0x83, 0x01}, make([]byte, 0x83)...) // 131 bytes
	good = append(good, 0xd0, 0, 0x30, 5, 1, 2, 3, 4, 5)
	for cut := 1; cut < 9; cut++ {
		for _, tail := range [][]byte{{0x30, 0xff, 0xff, 0xff, 0x7f}, {0x30, 0x80, 0x80, 0x80, 0x80, 1}, {0x30, 0x81, 0x80, 0x10}} {
			near, far := net.Pipe()
			b := hub.Bounded(near)
			go func() { // another packet follows: an end of the pipe is no refusal
				far.Write(append(bytes.Clone(good), tail...))
				far.Write(good)
				far.Close()
			}()
			var got int
			var err error
			for n := 0; err == nil; got += n {
				n, err = b.Read(make([]byte, cut))
			}
			near.Close()
			if !strings.Contains(err.Error(), "more than") {
				t.Errorf("cut %d, %x: %v", cut, tail, err)
			}
			if got < len(good)-cut || got > len(good)+len(tail) {
				t.Errorf("cut %d, %x: %d bytes came through, of %d that are good", cut, tail, got, len(good))
			}
		}
	}
}
