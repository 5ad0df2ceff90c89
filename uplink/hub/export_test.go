// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"net"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/nightjar-cam/nightjar/uplink/hub/presence"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// MaxPacket is the largest MQTT packet taken.
const MaxPacket = maxPacket

// AllowAll takes the access rule away.
func AllowAll(h *Hub) { h.allow = func(string, string, bool) bool { return true } }

// OneConnection limits connections to one.
func OneConnection(h *Hub) { h.cfg.MaxConnections = 1 }

// Connections limits connections to n.
func Connections(n int) func(*Hub) { return func(h *Hub) { h.cfg.MaxConnections = n } }

// AnyPacket takes the limit on packets away.
func AnyPacket(h *Hub) { h.packet = 256 << 20 }

// Impatient shortens the time for a handshake.
func Impatient(h *Hub) { h.handshake = 100 * time.Millisecond }

// BehindBroker has the hub meet its devices at a broker.
func BehindBroker(addr string) func(*Hub) { return func(h *Hub) { h.cfg.Broker = addr } }

// Bounded ends a connection that begins a packet that is too large.
func Bounded(c net.Conn) net.Conn { return &bounded{Conn: c} }

// NeverLook takes the regular look at revocations and presence away.
func NeverLook(h *Hub) { h.pace = 24 * time.Hour }

// LookOften shortens the time between two looks.
func LookOften(h *Hub) { h.pace = 20 * time.Millisecond }

// Nervous takes a camera for silent after 150 ms.
func Nervous(h *Hub) { h.roster = presence.New(150 * time.Millisecond) }

// MetricsTo has the hub keep its metrics in a file.
func MetricsTo(path string) func(*Hub) { return func(h *Hub) { h.cfg.Metrics = path } }

// Retain sets how long clips are kept.
func Retain(r store.Retention) func(*Hub) { return func(h *Hub) { h.cfg.Retention = r } }

// ReceiptKey is what the hub signs receipts with.
func ReceiptKey(h *Hub) ed25519.PrivateKey { return h.receipt }

// SeatWait is how long a device's new connection waits for the end of its former one; 0 leaves that to the broker.
func SeatWait(d time.Duration) func(*Hub) { return func(h *Hub) { h.seatWait = d } }

// Hook has the broker ask a test's hook, too.
func Hook(hook mqtt.Hook) func(*Hub) { return func(h *Hub) { h.hooks = append(h.hooks, hook) } }

// Certify has the CA of the hub in dir sign any certificate.
func Certify(dir string, template *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	h := &Hub{cfg: Config{Dir: dir}}
	if err := h.loadKeys(); err != nil {
		return nil, err
	}
	return h.ca.issue(template, key)
}

// Accept runs the hub's accept loop on a listener.
func Accept(ctx context.Context, h *Hub, l net.Listener) error {
	f := &front{listener: l, tls: newServerTLS(h.server, h.ca, ""), handshake: h.handshake, roster: h.roster, tally: h.tally, log: h.log, slots: make(chan struct{}, 1)}
	return f.run(ctx)
}
