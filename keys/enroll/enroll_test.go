// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys"
)

func newIdentity(t *testing.T) keys.Identity {
	t.Helper()
	identity, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func TestEnroll(t *testing.T) {
	ca, identity := newAuthority(t), newIdentity(t)
	issuer := &issuer{t: t, ca: ca}
	var requests []byte // in the clear
	server := listen(t, ca.server(t), func(conn net.Conn) error { return Serve(t.Context(), &tap{conn, &requests}, issuer) })
	got, err := Enroll(t.Context(), server.addr, ca.token(), identity)
	if err := errors.Join(err, <-server.done); err != nil {
		t.Fatal(err)
	}
	if got.Device != "front-door" || got.Hub != server.addr || !got.CA.Equal(ca.cert) || !got.ReceiptKey.Equal(receiptKey) {
		t.Errorf("credential %v, CA %v, receipt key %x", got, got.CA.Subject, got.ReceiptKey)
	}
	key := got.TLS.PrivateKey.(*ecdsa.PrivateKey)
	if got.TLS.Leaf.Subject.CommonName != "front-door" || !key.PublicKey.Equal(got.TLS.Leaf.PublicKey) {
		t.Errorf("certificate of %v, not of the key", got.TLS.Leaf.Subject)
	}
	asked := issuer.asked[0]
	if !identity.Public().Equal(ed25519.PublicKey(asked.Identity)) || [16]byte(asked.Secret) != ca.token().Secret {
		t.Errorf("asked with identity %x and secret %x", asked.Identity, asked.Secret)
	}

	scalar, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"operational key": scalar, "identity": identity.Key().Seed()} {
		for _, field := range [][]byte{requests, asked.Secret, asked.CSR, asked.Identity, asked.Proof} {
			if shows(field, secret) {
				t.Errorf("the private %s was sent in %q", name, field)
			}
		}
	}
	if !shows(requests, []byte(asked.Secret)) { // the search finds what was sent
		t.Error("the token's secret was not found in what was sent")
	}
}

// shows tells whether text holds the secret in one of its usual spellings.
func shows(text, secret []byte) bool {
	for _, s := range []string{string(secret), base64.RawStdEncoding.EncodeToString(secret)[:20], hex.EncodeToString(secret)} {
		if strings.Contains(string(text), s) {
			return true
		}
	}
	return false
}

func TestRefusalsComeBack(t *testing.T) {
	ca := newAuthority(t)
	full := errors.New("disk full on /dev/secret")
	for _, test := range []struct{ issue, want error }{
		{ErrTokenUnknown, ErrTokenUnknown}, {ErrTokenUsed, ErrTokenUsed}, {ErrTokenExpired, ErrTokenExpired},
		{ErrOtherIdentity, ErrOtherIdentity}, {ErrBadRequest, ErrBadRequest}, {ErrHub, ErrHub}, {full, ErrHub},
	} {
		issuer := &issuer{t: t, ca: ca, err: fmt.Errorf("look up: %w", test.issue)}
		server := listen(t, ca.server(t), func(conn net.Conn) error { return Serve(t.Context(), conn, issuer) })
		_, err := Enroll(t.Context(), server.addr, ca.token(), newIdentity(t))
		if !errors.Is(err, test.want) || strings.Contains(err.Error(), "/dev/secret") {
			t.Errorf("issuer says %v, camera hears %v", test.issue, err)
		}
		if err := <-server.done; !errors.Is(err, test.issue) {
			t.Errorf("Serve returned %v, want %v", err, test.issue)
		}
	}
}

func TestForgedProof(t *testing.T) {
	ca := newAuthority(t)
	issuer := &issuer{t: t, ca: ca, err: ErrTokenUsed}
	for _, test := range []struct {
		proof string
		sign  ed25519.PrivateKey
		want  string
		asked int
	}{{"forged", otherKey, "bad-request", 0}, {"good", identityKey, "token-used", 1}} {
		server := listen(t, ca.server(t), func(conn net.Conn) error { return Serve(t.Context(), conn, issuer) })
		conn, err := tls.Dial("tcp", server.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ALPN}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		r := request()
		r.Proof = ed25519.Sign(test.sign, proofText(r.Secret, r.CSR))
		var answer Response
		if err := errors.Join(write(conn, r), read(conn, &answer)); err != nil {
			t.Fatal(err)
		}
		if want := (Response{Version: version, Code: test.want}); !cmp.Equal(answer, want) || len(issuer.asked) != test.asked {
			t.Errorf("%s proof: answer %+v, issuer asked %d times", test.proof, answer, len(issuer.asked))
		}
		<-server.done
	}
}

func TestServeAnswersNonsense(t *testing.T) {
	camera, hub := net.Pipe()
	defer camera.Close()
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), hub, &issuer{}) }()
	var answer Response
	if _, err := camera.Write([]byte("GET ")); err != nil { // as a length this is more than 1 GiB
		t.Fatal(err)
	}
	if err := read(camera, &answer); err != nil || answer.Code != "bad-request" {
		t.Errorf("answer %+v, %v", answer, err)
	}
	if err := <-done; !errors.Is(err, ErrBadRequest) {
		t.Errorf("Serve returned %v", err)
	}
}

func TestServersThatAreNotTheHub(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	certificate := func(change func(*x509.Certificate)) *tls.Config {
		c := ca.server(t)
		c.Certificates = []tls.Certificate{ca.certificate(t, change)}
		return c
	}
	old, alone := ca.server(t), ca.server(t)
	old.MaxVersion = tls.VersionTLS12
	alone.Certificates[0].Certificate = alone.Certificates[0].Certificate[:1]
	// A stranger can present our CA's certificate, which is public, behind its own.
	borrowed := foreign.server(t)
	borrowed.Certificates[0].Certificate[1] = ca.cert.Raw
	for name, test := range map[string]struct {
		server *tls.Config
		want   error // nil: any
	}{
		"other CA":            {foreign.server(t), ErrPin},
		"without its CA":      {alone, ErrPin},
		"borrowed CA":         {borrowed, nil},
		"TLS 1.2":             {old, nil},
		"no EKU serverAuth":   {certificate(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), nil},
		"other name":          {certificate(func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} }), nil},
		"expired":             {certificate(func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(1) }), nil},
		"name not in the SAN": {certificate(func(c *x509.Certificate) { c.DNSNames = nil; c.Subject.CommonName = keys.HubName }), nil},
	} {
		issuer := &issuer{t: t, ca: ca}
		server := listen(t, test.server, func(conn net.Conn) error { return Serve(t.Context(), conn, issuer) })
		_, err := Enroll(t.Context(), server.addr, ca.token(), newIdentity(t))
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
		<-server.done
		if len(issuer.asked) != 0 {
			t.Errorf("%s: the token was sent", name)
		}
	}
}

func TestPinOfACertificateThatIsNoCA(t *testing.T) {
	ca := newAuthority(t)
	server := ca.server(t).Certificates[0]
	if _, err := verifyPinned([]*x509.Certificate{server.Leaf, ca.cert}, fingerprint(server.Leaf)); !errors.Is(err, ErrPin) {
		t.Errorf("error %v, want %v", err, ErrPin)
	}
}

// A camera that was just switched on thinks that it is 2000, as the bubble's clock does.
func TestCertificatesWithAnUnsetClock(t *testing.T) {
	ca, key := newAuthority(t), newKey(t)
	server, device := ca.server(t).Certificates[0], ca.device(t, "front-door", &key.PublicKey)
	synctest.Test(t, func(t *testing.T) {
		if _, err := verifyPinned([]*x509.Certificate{server.Leaf, ca.cert}, fingerprint(ca.cert)); err != nil {
			t.Errorf("hub's certificate: %v", err)
		}
		answer := Response{Version: version, Device: "front-door", Certificate: device, CA: ca.cert.Raw, ReceiptKey: receiptKey}
		if _, err := credential(answer, ca.cert, key); err != nil {
			t.Errorf("camera's certificate: %v", err)
		}
	})
}

func TestAnswersThatDoNotFit(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	for name, change := range map[string]func(*Response){
		"other key":         func(r *Response) { r.Certificate = ca.device(t, "front-door", &newKey(t).PublicKey) },
		"other device":      func(r *Response) { r.Device = "back-door" },
		"no device id":      func(r *Response) { r.Device = "../x" },
		"other CA":          func(r *Response) { r.CA = foreign.cert.Raw },
		"no CA":             func(r *Response) { r.CA = nil },
		"no certificate":    func(r *Response) { r.Certificate = []byte("x") },
		"hub's certificate": func(r *Response) { r.Certificate = ca.server(t).Certificates[0].Certificate[0] },
		"foreign certificate": func(r *Response) {
			leaf, err := x509.ParseCertificate(r.Certificate)
			if err != nil {
				t.Error(err)
				return
			}
			r.Certificate = foreign.device(t, "front-door", leaf.PublicKey)
		},
		"broker":      func(r *Response) { r.MQTT = "broker.lan" },
		"receipt key": func(r *Response) { r.ReceiptKey = r.ReceiptKey[1:] },
	} {
		issuer := &issuer{t: t, ca: ca, change: change}
		server := listen(t, ca.server(t), func(conn net.Conn) error { return Serve(t.Context(), conn, issuer) })
		c, err := Enroll(t.Context(), server.addr, ca.token(), newIdentity(t))
		if err == nil || !strings.Contains(err.Error(), "the hub's answer") {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
		<-server.done
	}
}

func TestRawAnswers(t *testing.T) {
	ca := newAuthority(t)
	for name, answer := range map[string]string{
		"nothing": "", "oversized": "\xff\xff\xff\xff{}", "no JSON": string(framed("hello")), "unknown field": string(framed(`{"v":1,"w":1}`)),
		"later version": string(framed(`{"v":2,"device":"front-door"}`)), "unknown code": string(framed(`{"v":1,"code":"new"}`)),
	} {
		server := listen(t, ca.server(t), func(conn net.Conn) error {
			err := read(conn, new(Request))
			_, err2 := io.WriteString(conn, answer)
			return errors.Join(err, err2)
		})
		if c, err := Enroll(t.Context(), server.addr, ca.token(), newIdentity(t)); err == nil {
			t.Errorf("%s: got %v", name, c)
		}
		if err := <-server.done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnrollEndsWithItsContext(t *testing.T) {
	ca := newAuthority(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := listen(t, ca.server(t), func(conn net.Conn) error { // a hub that falls silent
		if err := read(conn, new(Request)); err != nil {
			return err
		}
		cancel()
		_, err := io.Copy(io.Discard, conn)
		return err
	})
	if _, err := Enroll(ctx, server.addr, ca.token(), newIdentity(t)); err == nil {
		t.Error("enrolled without an answer")
	}
	if err := <-server.done; err != nil {
		t.Error(err)
	}
	if _, err := Enroll(ctx, server.addr, ca.token(), newIdentity(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the cancel: %v", err)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	camera, hub := net.Pipe()
	defer camera.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, hub, &issuer{}) }()
	cancel() // the camera says nothing
	if err := <-done; !errors.Is(err, ErrBadRequest) {
		t.Errorf("Serve returned %v", err)
	}
}

// The names of the fields are the protocol.
func TestFieldNames(t *testing.T) {
	b, err := json.Marshal(Request{Version: 1})
	if want := `{"v":1,"secret":null,"csr":null,"identity":null,"proof":null}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}
