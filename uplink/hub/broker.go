// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A session is a device's verified connection.
type session struct {
	*tls.Conn
	device string
	reason atomic.Pointer[refusal] // why this side ended it; the first one counts
	online atomic.Bool             // its CONNECT was taken
	heard  func()                  // told of each sign of life, from then on
	gone   chan struct{}           // closed when the broker is through with it
}

// Read tells that the device lives: a ping does so, and so does each piece of a chunk on a slow line.
func (s *session) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if n > 0 && s.online.Load() {
		s.heard()
	}
	return n, err
}

// end ends the session from this side, whatever the client does. The socket is closed and not the TLS on
// top: that would wait for a client that does not read.
func (s *session) end(r *refusal) {
	s.reason.CompareAndSwap(nil, r)
	s.NetConn().Close()
}

// A broker speaks MQTT with devices. It is transport only: nothing that a device publishes is routed to
// another one or kept by the broker; all of it goes to ingest, and a PUBACK means no more than that.
type broker struct {
	server *mqtt.Server
	seats  seats
}

func newBroker(serve *service, h *Hub) (*broker, error) {
	// Every limit is set: the library's defaults are none, or thousands.
	limits := mqtt.NewDefaultServerCapabilities()
	limits.MaximumClients = int64(h.cfg.MaxConnections)
	limits.MaximumPacketSize = h.packet
	limits.MaximumInflight = maxInflight
	limits.MaximumClientWritesPending = maxPending
	limits.ReceiveMaximum = maxInflight
	limits.MaximumSessionExpiryInterval = sessionSeconds
	limits.MaximumMessageExpiryInterval = sessionSeconds
	limits.MaximumQos = 1
	limits.MinimumProtocolVersion = protocolVersion
	limits.TopicAliasMaximum = 0
	limits.SharedSubAvailable = 0
	limits.WildcardSubAvailable = 1 // wire.Filter
	limits.SubIDAvailable = 0
	limits.RetainAvailable = 1 // a will that asks for less than its status message is refused at CONNECT
	b := &broker{seats: seats{wait: h.seatWait, taken: map[string]*session{}}, server: mqtt.New(&mqtt.Options{
		Capabilities: limits,
		InlineClient: true, // through which replies are sent
		// The library logs whole packets. What matters is logged here.
		Logger:                 slog.New(slog.DiscardHandler),
		SysTopicResendInterval: 24 * 3600, // nobody may read $SYS
	})}
	for _, hook := range append([]mqtt.Hook{&hook{service: serve, allow: h.allow, seats: &b.seats}}, h.hooks...) {
		if err := b.server.AddHook(hook, nil); err != nil {
			return nil, fmt.Errorf("start broker: %w", err)
		}
	}
	if err := b.server.Serve(); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	return b, nil
}

// serve speaks MQTT with a device until the connection ends, and says why it did.
func (b *broker) serve(s *session) *refusal {
	defer b.seats.leave(s)
	err := b.server.EstablishConnection("tls", s)
	if r := s.reason.Load(); r != nil {
		return r
	}
	var code packets.Code
	switch {
	case err == nil:
		return refuse(brokenOff, "device disconnected")
	case errors.Is(err, packets.ErrPacketTooLarge):
		return refuse(RefusedPacket, "packet of more than %d bytes", maxPacket)
	case errors.As(err, &code):
		return refuse(RefusedProtocol, "%w", err)
	}
	return refuse(brokenOff, "%w", err)
}

// tell sends a message to a device; false when it is not there. QoS 0: a reply that is lost, or finds no room, costs another
// offer. With QoS 1 the broker would keep replies for an absent device, under packet ids that it takes for the device's own when
// it subscribes again, and refuse that.
func (b *broker) tell(device string, kind wire.Kind, payload []byte) bool {
	if cl, ok := b.server.Clients.Get(device); !ok || cl.Closed() {
		return false
	}
	return b.server.Publish(wire.Topic(device, kind), payload, false, 0) == nil
}

// close ends the broker. All connections must have ended.
func (b *broker) close() { b.server.Close() }

// protocolVersion is MQTT 3.1.1, the only one spoken here. Without 5 there are no topic aliases, shared
// subscriptions, delayed wills and session properties to bound.
const protocolVersion = 4

// A hook is where the broker asks. Its methods run in the goroutine of the connection they are about.
type hook struct {
	mqtt.HookBase
	*service
	allow func(device, topic string, write bool) bool
	seats *seats
}

func (h *hook) ID() string { return "nightjar" }

func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnWillSent:
		return true
	}
	return false
}

// end ends a client's connection from this side. Returning an error from a hook would not do: the
// broker acknowledges a message that its hook failed to take.
func end(cl *mqtt.Client, r *refusal) {
	if s, ok := cl.Net.Conn.(*session); ok {
		s.reason.CompareAndSwap(nil, r)
	}
	cl.Stop(r)
}

// OnConnectAuthenticate decides on a CONNECT. Who the device is has been decided by its certificate.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	s, ok := cl.Net.Conn.(*session)
	if !ok {
		return false
	}
	r := h.connect(s.device, cl.Properties.ProtocolVersion, pk.Connect)
	if r != nil {
		s.reason.CompareAndSwap(nil, r)
		return false
	}
	if r := h.seats.take(s); r != nil {
		s.end(r) // without a CONNACK: the only one that could be sent says that the device is not known
		return false
	}
	if !s.online.Swap(true) {
		h.roster.Connected(s.device, time.Now())
	}
	return true
}

func (h *hook) connect(device string, version byte, c packets.ConnectParams) *refusal {
	if r := h.revoked(device); r != nil {
		return r
	}
	if !h.ingest.known(device) {
		return refuse(RefusedUnknownDevice, "device %s is not enrolled here (any more)", device)
	}
	if version != protocolVersion {
		return refuse(RefusedConnect, "MQTT protocol level %d, want %d (3.1.1)", version, protocolVersion)
	}
	if c.ClientIdentifier != device {
		return refuse(RefusedConnect, "client id %q with the certificate of %s", c.ClientIdentifier, device)
	}
	if c.Keepalive < 1 || c.Keepalive > maxKeepAlive {
		return refuse(RefusedConnect, "keep-alive of %d s, want 1 to %d", c.Keepalive, maxKeepAlive)
	}
	// The broker publishes a will without asking OnACLCheck.
	if c.WillFlag && c.WillTopic != wire.Topic(device, wire.UpStatus) {
		return refuse(RefusedTopic, "will on topic %q", c.WillTopic)
	}
	return nil
}

// OnACLCheck is asked for each publish and subscription of a client, and for each delivery to it.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	if h.allow(cl.ID, topic, write) {
		return true
	}
	verb := "subscribes to"
	if write {
		verb = "publishes on"
	}
	// Also for QoS 0, which the broker would drop in silence: who tries this is not one of ours.
	end(cl, refuse(RefusedTopic, "device %s %s %q", cl.ID, verb, topic))
	return false
}

// allowed is the access rule: a device publishes its own up messages and subscribes to its own down
// messages. The forms of a subscription are few, so that a device cannot fill the hub with them.
func allowed(device, topic string, write bool) bool {
	if !write && topic == wire.Filter(device) {
		return true
	}
	id, kind, err := wire.ParseTopic(topic)
	return err == nil && id == device && kind.Up() == write
}

// OnPublish has a message taken and answered. The device's PUBACK waits for that.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	done := h.greet.reassure(cl)
	r := h.take(cl.ID, pk.TopicName, pk.Payload)
	done()
	if r != nil {
		end(cl, r)
		return pk, packets.ErrRejectPacket
	}
	return pk, packets.CodeSuccessIgnore // acknowledge, but route and retain nothing
}

// OnWillSent takes the will of a device that vanished as the status message that it is.
func (h *hook) OnWillSent(cl *mqtt.Client, pk packets.Packet) {
	if h.revoked(cl.ID) == nil {
		_, _ = h.ingest.take(cl.ID, wire.UpStatus, pk.Payload)
	}
}
