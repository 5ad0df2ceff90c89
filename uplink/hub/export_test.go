// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto"
	"crypto/x509"
	"net"
	"time"
)

// MaxPacket is the largest MQTT packet taken.
const MaxPacket = maxPacket

// AllowAll takes the access rule away.
func AllowAll(h *Hub) { h.allow = func(string, string, bool) bool { return true } }

// OneConnection limits connections to one.
func OneConnection(h *Hub) { h.cfg.MaxConnections = 1 }

// Impatient shortens the time for a handshake.
func Impatient(h *Hub) { h.handshake = 100 * time.Millisecond }

// NeverLook takes the regular look at revocations and presence away.
func NeverLook(h *Hub) { h.pace = 24 * time.Hour }

// LookOften shortens the time between two looks.
func LookOften(h *Hub) { h.pace = 20 * time.Millisecond }

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
	f := &front{listener: l, tls: newServerTLS(h.server, h.ca), handshake: h.handshake, log: h.log, slots: make(chan struct{}, 1)}
	return f.run(ctx)
}
