// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

var (
	expired = func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = c.NotBefore.Add(-48*time.Hour), c.NotAfter.Add(-48*time.Hour)
	}
	notYetValid = func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = c.NotBefore.Add(48*time.Hour), c.NotAfter.Add(48*time.Hour)
	}
	noUsage  = func(c *x509.Certificate) { c.ExtKeyUsage = nil }
	hubNamed = func(c *x509.Certificate) { c.DNSNames = []string{"nightjar-hub"} }
)

func both(a, b func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) { a(c); b(c) }
}

// TestTLSClients shows the hub each client that it must not take, and one that it must.
func TestTLSClients(t *testing.T) {
	t.Parallel()
	r := newRow(t, "TLS matrix, clients to the hub", "all refused, revoked within 10 s")
	s := newSite(t)
	ca := s.authority()
	good := ca.camera(device)
	hubs, err := tls.LoadX509KeyPair(s.path("hub", "hub.crt"), s.path("hub", "hub.key"))
	if err != nil {
		t.Fatal(err)
	}
	none := s.client(good)
	none.GetClientCertificate = nil
	upTo := func(version uint16) *tls.Config {
		c := s.client(good)
		c.MaxVersion = version
		return c
	}
	clients := map[string]*tls.Config{
		"TLS 1.0":              upTo(tls.VersionTLS10),
		"TLS 1.1":              upTo(tls.VersionTLS11),
		"TLS 1.2":              upTo(tls.VersionTLS12),
		"no certificate":       none,
		"expired":              s.client(ca.issue(device, x509.ExtKeyUsageClientAuth, expired)),
		"not yet valid":        s.client(ca.issue(device, x509.ExtKeyUsageClientAuth, notYetValid)),
		"wrong CA":             s.client(foreign(t).camera(device)),
		"wrong usage":          s.client(ca.issue(device, x509.ExtKeyUsageServerAuth, nil)),
		"no usage":             s.client(ca.issue(device, x509.ExtKeyUsageClientAuth, noUsage)),
		"self-signed":          s.client((&authority{t: t}).camera(device)),
		"the hub's own":        s.client(hubs),
		"name of no device":    s.client(ca.camera("PORCH/#")),
		"device not enrolled":  s.client(ca.camera("stranger")),
		"another device's":     s.client(ca.camera("attic")),
		"no application proto": func() *tls.Config { c := none.Clone(); c.NextProtos = nil; return c }(),
	}
	s.enroll("attic", s.addr)
	if !s.takes(s.client(good)) {
		t.Fatal("the hub does not take a good client either: the matrix would prove nothing")
	}
	refused := 0
	for name, c := range clients {
		if s.takes(c) {
			t.Errorf("%s: taken", name)
		} else {
			refused++
		}
	}
	took := s.revoked(t, good)
	r.measured("%d of %d refused; revoked: refused, its session ended after %.1f s", refused, len(clients), took.Seconds())
}

// takes tells whether the hub acknowledges a CONNECT as porch.
func (s *site) takes(c *tls.Config) bool {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.addr, c)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.Write(connectPacket(device))
	body, ok := hears(conn, bufio.NewReader(conn), mqttConnack, 5*time.Second)
	return ok && len(body) == 2 && body[1] == 0
}

const maxRevoke = 10 * time.Second

// revoked revokes the device, and returns how long its session and new ones were still taken.
func (s *site) revoked(t *testing.T, good tls.Certificate) time.Duration {
	t.Helper()
	conn, err := tls.Dial("tcp", s.addr, s.client(good))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(connectPacket(device))
	in := bufio.NewReader(conn)
	if _, ok := hears(conn, in, mqttConnack, 5*time.Second); !ok {
		t.Fatal("no session to revoke")
	}
	s.run("nightjar-hub", "revoke", "--dir", s.path("hub"), device)
	began := time.Now()
	conn.SetDeadline(began.Add(2 * maxRevoke))
	if _, err := io.Copy(io.Discard, in); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("revoked: its session goes on")
	}
	took := time.Since(began)
	if s.takes(s.client(good)) {
		t.Error("revoked: taken")
	}
	if took > maxRevoke {
		t.Errorf("revoked: its session ended after %v", took)
	}
	return took
}

// TestTLSServers shows the agent each hub that it must not speak to, and one that it must.
func TestTLSServers(t *testing.T) {
	t.Parallel()
	r := newRow(t, "TLS matrix, hubs to the agent", "all refused")
	s := newSite(t)
	s.hub.stop(t)
	ca := s.authority()
	hub := func(a *authority, change func(*x509.Certificate)) tls.Certificate {
		return a.issue("nightjar-hub", x509.ExtKeyUsageServerAuth, change)
	}
	serve := func(cert tls.Certificate) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"mqtt"}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS10}
	}
	upTo := func(version uint16) *tls.Config {
		c := serve(hub(ca, hubNamed))
		c.MaxVersion = version
		return c
	}
	servers := map[string]*tls.Config{
		"TLS 1.0":                upTo(tls.VersionTLS10),
		"TLS 1.1":                upTo(tls.VersionTLS11),
		"TLS 1.2":                upTo(tls.VersionTLS12),
		"no TLS":                 nil,
		"expired":                serve(hub(ca, both(hubNamed, expired))),
		"not yet valid":          serve(hub(ca, both(hubNamed, notYetValid))),
		"wrong CA":               serve(hub(foreign(t), hubNamed)),
		"wrong usage":            serve(ca.issue("nightjar-hub", x509.ExtKeyUsageClientAuth, hubNamed)),
		"wrong host":             serve(hub(ca, func(c *x509.Certificate) { c.DNSNames = []string{"other-hub"} })),
		"self-signed":            serve(hub(&authority{t: t}, hubNamed)),
		"a device's certificate": serve(ca.camera(device)),
	}
	if !s.speaks(serve(hub(ca, hubNamed))) {
		t.Fatal("the agent does not speak to a good hub either: the matrix would prove nothing")
	}
	refused := 0
	for name, c := range servers {
		if s.speaks(c) {
			t.Errorf("%s: the agent speaks to it", name)
		} else {
			refused++
		}
	}
	r.measured("%d of %d refused", refused, len(servers))
}

// speaks tells whether the agent sends a single byte of MQTT to a hub with that configuration; nil is one without TLS.
func (s *site) speaks(c *tls.Config) bool {
	s.t.Helper()
	var l net.Listener
	var err error
	// A program that another rig starts just now holds the last listener between fork and exec.
	await(s.t, 10*time.Second, "the hub's address", func() bool { l, err = net.Listen("tcp", s.addr); return err == nil })
	defer l.Close()
	agent := s.startAgent(device, s.config(device, live), nil)
	defer agent.Kill()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
	conn, err := l.Accept()
	if err != nil {
		s.t.Fatal("the agent does not come:", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	var first [1]byte
	if c == nil {
		// An agent that would fall back to plain text sends a CONNECT; one that does not, a ClientHello.
		_, err := conn.Read(first[:])
		return err != nil || first[0] == mqttConnect<<4
	}
	tconn := tls.Server(conn, c)
	n, _ := tconn.Read(first[:])
	return n > 0
}
