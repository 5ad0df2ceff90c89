// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

// wantRefused checks that the hub warned once, with this code, and gave a reason.
func wantRefused(t *testing.T, h *hubtest.Hub, code hub.Refused) {
	t.Helper()
	m := h.Log.Await(t, string(code))
	h.Stop(t) // all connections have said what they have to say
	if all := h.Log.Coded(); len(all) != 1 || m.Level != slog.LevelWarn || m.Error == "" {
		t.Errorf("the hub warned %+v, want %q once and a reason", all, code)
	}
}

// wantDeaf checks that the hub ends a connection without a word of MQTT.
func wantDeaf(t *testing.T, c *client) {
	t.Helper()
	c.connect(nil)
	if pk, ok := c.next(); ok {
		t.Errorf("the hub answers %+v", pk.FixedHeader)
	}
}

func TestTLS12IsRefused(t *testing.T) {
	s := newSite(t)
	cfg := s.tls.Clone()
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if conn, err := tls.Dial("tcp", s.Addr, cfg); err == nil {
		conn.Close()
		t.Error("TLS 1.2 is spoken")
	}
	wantRefused(t, s.Hub, hub.RefusedTLSVersion)
}

func TestPlainTextIsRefused(t *testing.T) {
	h := hubtest.Start(t)
	conn, err := net.Dial("tcp", h.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("\x10\x11\x00\x04MQTT\x04\x02\x00\x1e\x00\x05porch")); err != nil {
		t.Fatal(err)
	}
	wantEOF(t, conn)
	wantRefused(t, h, "handshake-failed")
}

func TestNoCertificateIsRefused(t *testing.T) {
	s := newSite(t)
	cfg := s.tls.Clone()
	cfg.GetClientCertificate = nil
	wantDeaf(t, dial(t, s.Addr, cfg, "porch"))
	wantRefused(t, s.Hub, hub.RefusedNoCertificate)
}

func TestForeignCAIsRefused(t *testing.T) {
	s, other := newSite(t), hubtest.Start(t)
	credential := other.Enroll(t, "porch")
	cfg := s.tls.Clone()
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &credential.TLS, nil }
	wantDeaf(t, dial(t, s.Addr, cfg, "porch"))
	wantRefused(t, s.Hub, hub.RefusedForeignCA)
}

// Certificates of the right CA that are none of a device in force.
func TestUnfitCertificateIsRefused(t *testing.T) {
	type usage = []x509.ExtKeyUsage
	for name, row := range map[string]struct {
		name     string
		from, to time.Duration // from now
		usage    usage
		code     hub.Refused
	}{
		"expired":        {"porch", -2 * time.Hour, -time.Hour, usage{x509.ExtKeyUsageClientAuth}, hub.RefusedExpired},
		"not yet valid":  {"porch", time.Hour, 2 * time.Hour, usage{x509.ExtKeyUsageClientAuth}, hub.RefusedExpired},
		"of a server":    {"porch", -time.Hour, time.Hour, usage{x509.ExtKeyUsageServerAuth}, hub.RefusedCertificate},
		"for no usage":   {"porch", -time.Hour, time.Hour, nil, hub.RefusedCertificate},
		"for a wildcard": {"+", -time.Hour, time.Hour, usage{x509.ExtKeyUsageClientAuth}, hub.RefusedCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			cfg := s.tls.Clone()
			now := time.Now()
			use(t, cfg, s.Dir, &x509.Certificate{
				Subject: pkix.Name{CommonName: row.name}, NotBefore: now.Add(row.from), NotAfter: now.Add(row.to), ExtKeyUsage: row.usage,
			})
			wantDeaf(t, dial(t, s.Addr, cfg, "porch"))
			wantRefused(t, s.Hub, row.code)
		})
	}
}

// use makes a client show a certificate that the hub's CA signs for it.
func use(t *testing.T, cfg *tls.Config, dir string, template *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := hub.Certify(dir, template, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
}

// A certificate ends a connection when it runs out, not only the next handshake.
func TestCertificateRunsOut(t *testing.T) {
	s := newSite(t)
	cfg := s.tls.Clone()
	use(t, cfg, s.Dir, &x509.Certificate{
		Subject: pkix.Name{CommonName: "porch"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(2 * time.Second),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	connect(t, s.Addr, cfg, "porch").ended()
}

func TestUnknownDeviceIsRefused(t *testing.T) {
	s := newSite(t)
	cfg := s.tls.Clone()
	use(t, cfg, s.Dir, &x509.Certificate{
		Subject: pkix.Name{CommonName: "attic"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	c := dial(t, s.Addr, cfg, "attic")
	c.connect(nil)
	if pk, ok := c.next(); ok && pk.ReasonCode == 0 {
		t.Errorf("the hub answers %+v", pk)
	}
	wantRefused(t, s.Hub, hub.RefusedUnknownDevice)
}

func TestTooManyConnections(t *testing.T) {
	h := hubtest.Start(t, hub.OneConnection)
	var conns [2]net.Conn
	for i := range conns {
		conn, err := net.Dial("tcp", h.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	wantEOF(t, conns[1])
	wantRefused(t, h, hub.RefusedTooMany)
}

// Clients that do not go on, at any stage, lose their connection. The hub does not call that a refusal.
func TestSilentClientsAreDropped(t *testing.T) {
	for name, talk := range map[string]func(s *site) net.Conn{
		"nothing at all": func(s *site) net.Conn {
			conn, err := net.Dial("tcp", s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		},
		"half a TLS record": func(s *site) net.Conn {
			conn, err := net.Dial("tcp", s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			conn.Write([]byte{22, 3, 1, 2, 0, 1})
			return conn
		},
		"no CONNECT": func(s *site) net.Conn { return tlsDial(t, s) },
		"half a CONNECT": func(s *site) net.Conn {
			conn := tlsDial(t, s)
			conn.Write([]byte{packets.Connect << 4, 100, 0})
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, hub.Impatient)
			conn := talk(s)
			defer conn.Close()
			wantEOF(t, conn)
			s.Stop(t)
			if all := s.Log.Coded(); len(all) > 0 {
				t.Errorf("the hub warned %+v", all)
			}
		})
	}
	t.Run("half a message", func(t *testing.T) {
		s := newSite(t)
		c := dial(t, s.Addr, s.tls, "porch")
		c.connect(func(pk *packets.Packet) { pk.Connect.Keepalive = 1 })
		c.write([]byte{packets.Publish<<4 | 1<<1, 100, 0})
		c.ended()
	})
}

func tlsDial(t *testing.T, s *site) net.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addr, s.tls)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// wantEOF waits until the hub has closed a connection.
func wantEOF(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the hub keeps the connection")
	}
}

// The enrolment protocol is nothing but that: no MQTT without a certificate through its door.
func TestEnrolmentIsNoWayIn(t *testing.T) {
	s := newSite(t)
	cfg := s.tls.Clone()
	cfg.GetClientCertificate = nil
	cfg.NextProtos = []string{"nightjar-enroll/1", "mqtt"}
	c := dial(t, s.Addr, cfg, keys.HubName)
	c.connect(nil)
	c.ended()
	s.Log.Await(t, string(hub.RefusedEnrolment))
}
