// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys"
)

// enrolled is a hub, the credential that it gave to front-door, and the identity it knows it by.
func enrolled(t *testing.T) (authority, *issuer, keys.Credential, keys.Identity) {
	t.Helper()
	ca, identity := newAuthority(t), newIdentity(t)
	issuer := &issuer{t: t, ca: ca, identity: identity.Public()}
	server := listen(t, ca.server(t), func(conn net.Conn) error { return Serve(t.Context(), conn, issuer) })
	c, err := Enroll(t.Context(), server.addr, ca.token(), identity)
	if err := errors.Join(err, <-server.done); err != nil {
		t.Fatal(err)
	}
	return ca, issuer, c, identity
}

// renewals serves one renewal.
func renewals(t *testing.T, server *tls.Config, issuer Issuer) listener {
	t.Helper()
	server = server.Clone()
	server.NextProtos = []string{RenewALPN}
	return listen(t, server, func(conn net.Conn) error { return ServeRenewal(t.Context(), conn.(*tls.Conn), issuer) })
}

func TestRenew(t *testing.T) {
	ca, issuer, old, identity := enrolled(t)
	next := newAuthority(t)
	issuer.change = func(r *Response) {
		r.NextCA, r.NextReceiptKey, r.MQTT = next.cert.Raw, receiptKey, "broker.lan:8883"
	}
	hub := renewals(t, ca.server(t), issuer)
	old.Hub = hub.addr
	got, err := Renew(t.Context(), old, identity)
	if err := errors.Join(err, <-hub.done); err != nil {
		t.Fatal(err)
	}
	key := got.TLS.PrivateKey.(*ecdsa.PrivateKey)
	if got.Broker() != "broker.lan:8883" || old.Broker() != old.Hub {
		t.Errorf("speaks MQTT with %q, before with %q", got.Broker(), old.Broker())
	}
	if got.Device != old.Device || got.Hub != old.Hub || key.Equal(old.TLS.PrivateKey) || !key.PublicKey.Equal(got.TLS.Leaf.PublicKey) {
		t.Errorf("renewed %v, the same key: %t", got, key.Equal(old.TLS.PrivateKey))
	}
	if !got.CA.Equal(ca.cert) || !got.NextCA.Equal(next.cert) || !got.NextReceiptKey.Equal(receiptKey) {
		t.Errorf("renewal gave CAs %v", got.CAs())
	}
}

// The spare that a device was told of is as good as the CA itself; any other CA is not.
func TestRenewAfterRotation(t *testing.T) {
	_, issuer, old, identity := enrolled(t)
	next, later := newAuthority(t), newAuthority(t)
	old.NextCA = next.cert
	for name, test := range map[string]struct {
		now  authority
		want error
	}{"once": {next, nil}, "twice": {later, ErrNotOurHub}} {
		issuer.ca, issuer.renewals = test.now, nil
		hub := renewals(t, test.now.server(t), issuer)
		old.Hub = hub.addr
		got, err := Renew(t.Context(), old, identity)
		if !errors.Is(err, test.want) || err == nil && !got.CA.Equal(test.now.cert) {
			t.Errorf("rotated %s: got %v, %v, want %v", name, got.CA, err, test.want)
		}
		if err := <-hub.done; (err == nil) != (test.want == nil) || len(issuer.renewals) != 0 && test.want != nil {
			t.Errorf("rotated %s: hub saw %d requests and %v", name, len(issuer.renewals), err)
		}
	}
	if text := ErrNotOurHub.Error(); !strings.Contains(text, "nightjar-hub token") {
		t.Errorf("%q does not say what to do", text)
	}
}

func TestRenewalIsRefused(t *testing.T) {
	ca, issuer, c, identity := enrolled(t)
	stranger := newIdentity(t)
	for name, test := range map[string]struct {
		by      keys.Identity
		issuing error
		want    error
	}{
		"stranger's proof": {stranger, nil, ErrUnknownDevice},
		"unknown":          {identity, fmt.Errorf("look up: %w", ErrUnknownDevice), ErrUnknownDevice},
		"revoked":          {identity, fmt.Errorf("look up: %w", ErrRevoked), ErrRevoked},
		"hub broken":       {identity, errors.New("disk full"), ErrHub},
	} {
		issuer.err = test.issuing
		hub := renewals(t, ca.server(t), issuer)
		c.Hub = hub.addr
		if got, err := Renew(t.Context(), c, test.by); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, test.want)
		}
		<-hub.done
	}
}

// Answers that are good, but for another camera.
func TestRenewalOfAnotherDevice(t *testing.T) {
	ca, issuer, c, identity := enrolled(t)
	issuer.change = func(r *Response) {
		leaf, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			t.Error(err)
			return
		}
		r.Device, r.Certificate = "back-door", ca.device(t, "back-door", leaf.PublicKey)
	}
	hub := renewals(t, ca.server(t), issuer)
	c.Hub = hub.addr
	if got, err := Renew(t.Context(), c, identity); err == nil || !strings.Contains(err.Error(), "back-door") {
		t.Errorf("got %v, %v", got, err)
	}
	<-hub.done
}

// ask sends a raw message to a hub that serves one renewal, and returns its answer.
func ask(t *testing.T, addr string, make func(*tls.Conn) any) Response {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{RenewALPN}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var answer Response
	if err := errors.Join(write(conn, make(conn)), read(conn, &answer)); err != nil {
		t.Fatal(err)
	}
	return answer
}

// A request that somebody saw, a broken hub for one, is worth nothing on another connection. The mutant's half of the test
// takes the binding to the connection away, and there the replay is taken.
func TestReplayedRenewal(t *testing.T) {
	ca, issuer, c, identity := enrolled(t)
	hub := renewals(t, ca.server(t), issuer)
	c.Hub = hub.addr
	if _, err := Renew(t.Context(), c, identity); err != nil {
		t.Fatal(err)
	}
	seen := issuer.renewals[0]
	hub = renewals(t, ca.server(t), issuer)
	if answer := ask(t, hub.addr, func(*tls.Conn) any { return seen }); answer.Code != "unknown-device" {
		t.Errorf("replay is answered with %+v", answer)
	}
	replayed := issuer.renewals[1]
	if cmp.Equal(seen.binding, replayed.binding) || len(seen.binding) != 32 {
		t.Errorf("two connections are bound by %x and %x", seen.binding, replayed.binding)
	}
	replayed.binding = seen.binding
	if err := replayed.Verify(issuer.identity); err != nil {
		t.Errorf("mutant: without the binding the replay is refused too: %v", err)
	}
	replayed.binding = nil
	if replayed.Verify(issuer.identity) == nil {
		t.Error("a request without a connection is taken")
	}
}

// Whatever is changed under a proof spoils it.
func TestProofOfARenewal(t *testing.T) {
	identity := newIdentity(t)
	sound := RenewRequest{Version: version, Device: "front-door", CSR: []byte("csr"), binding: make([]byte, 32)}
	sound.Proof = identity.Sign(sound.text())
	if err := sound.Verify(identity.Public()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*RenewRequest){
		"device":     func(r *RenewRequest) { r.Device = "back-door" },
		"request":    func(r *RenewRequest) { r.CSR = []byte("another") },
		"connection": func(r *RenewRequest) { r.binding = append([]byte{1}, r.binding[1:]...) },
		"no proof":   func(r *RenewRequest) { r.Proof = nil },
		"enrolment's proof": func(r *RenewRequest) {
			r.Proof = identity.Sign(proofText(r.binding, r.CSR))
		},
	} {
		r := sound
		change(&r)
		if err := r.Verify(identity.Public()); !errors.Is(err, ErrUnknownDevice) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := json.Marshal(sound)
	if err != nil || strings.Contains(string(b), "inding") {
		t.Errorf("sent as %s, %v", b, err)
	}
}

func TestUnfitRenewals(t *testing.T) {
	ca, issuer, _, _ := enrolled(t)
	for name, message := range map[string]any{
		"version": RenewRequest{Version: 2, Device: "front-door"}, "device": RenewRequest{Version: 1, Device: "../x"}, "text": "hello",
	} {
		hub := renewals(t, ca.server(t), issuer)
		answer := ask(t, hub.addr, func(*tls.Conn) any { return message })
		if err := <-hub.done; answer.Code != "bad-request" || !errors.Is(err, ErrBadRequest) || len(issuer.renewals) != 0 {
			t.Errorf("%s: answer %+v, %v", name, answer, err)
		}
	}
}

// cutConn breaks when so many bytes were read or written through it.
type cutConn struct {
	net.Conn
	left *int
}

func (c cutConn) Read(b []byte) (int, error) {
	if *c.left <= 0 {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(b[:min(len(b), *c.left)])
	*c.left -= n
	return n, err
}

func (c cutConn) Write(b []byte) (int, error) {
	if *c.left < len(b) {
		if *c.left > 0 { // a pipe would wait for a reader of nothing
			c.Conn.Write(b[:*c.left])
		}
		c.Conn.Close() // so that the other side hears of it
		*c.left = 0
		return 0, net.ErrClosed
	}
	*c.left -= len(b)
	return c.Conn.Write(b)
}

// The connection breaks at any byte of a renewal, before or after the hub certified: what the camera has is a credential that
// the hub takes, and the next renewal succeeds.
func TestRenewalCutAnywhere(t *testing.T) {
	ca, issuer, c, identity := enrolled(t)
	server := ca.server(t)
	server.NextProtos = []string{RenewALPN}
	const renewals = 501 // the last is not cut
	whole := 0
	try := func(limit int) (used int, got keys.Credential, err error) {
		camera, hub := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn := tls.Server(hub, server)
			if conn.Handshake() == nil {
				ServeRenewal(t.Context(), conn, issuer) //nolint:errcheck // cut off
			}
			hub.Close()
		}()
		left := limit
		got, err = renew(t.Context(), pipe(cutConn{camera, &left}), c, identity)
		camera.Close()
		<-done
		return limit - left, got, err
	}
	total, _, err := try(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	stuck := 0
	for i := range renewals {
		_, got, err := try(i * total / (renewals - 1))
		if err == nil {
			c = got
			whole++
		}
		if _, err := c.TLS.Leaf.Verify(x509.VerifyOptions{Roots: pool(ca.cert), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			stuck++
		}
	}
	if _, _, err := try(1 << 20); err != nil || stuck > 0 || whole == renewals {
		t.Errorf("%d of %d left with a bad credential; %d were not cut; at last: %v", stuck, renewals, whole, err)
	}
	t.Logf("%d renewals cut in %d bytes: %d locked out", renewals-whole, total, stuck)
}

func pool(ca *x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca)
	return p
}

// A hub that falls silent holds nothing up for ever.
func TestRenewEndsWithItsContext(t *testing.T) {
	_, _, c, identity := enrolled(t)
	camera, hub := net.Pipe()
	defer hub.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got, err := renew(ctx, pipe(camera), c, identity); err == nil {
		t.Errorf("got %v without an answer", got)
	}
}
