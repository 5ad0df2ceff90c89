// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
)

var receiptKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32)).Public().(ed25519.PublicKey)

// authority is the CA of a hub.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(20, 0, 0),
	}
	a.cert = a.certify(t, template, template, &a.key.PublicKey)
	return a
}

func (a authority) certify(t *testing.T, template, parent *x509.Certificate, key any) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		t.Error(err) // may be called by the server's goroutine
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Error(err)
	}
	return cert
}

// certificate returns a hub's certificate with its CA behind it; change may alter it first.
func (a authority) certificate(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{keys.HubName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
	}
	change(template)
	leaf := a.certify(t, template, a.cert, &key.PublicKey)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
}

func (a authority) server(t *testing.T) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{a.certificate(t, func(*x509.Certificate) {})}, NextProtos: []string{ALPN}}
}

// device certifies a camera for 60 days.
func (a authority) device(t *testing.T, name string, key any) []byte {
	t.Helper()
	now := time.Now()
	if now.Before(a.cert.NotBefore) { // the test's bubble is in another time than the hub
		now = a.cert.NotBefore
	}
	return a.certify(t, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 60),
	}, a.cert, key).Raw
}

func fingerprint(cert *x509.Certificate) [32]byte { return sha256.Sum256(cert.Raw) }

func (a authority) token() Token { return Token{Secret: [16]byte{1, 2, 3}, CA: fingerprint(a.cert)} }

// issuer answers with err, or with a certificate for front-door that change altered.
type issuer struct {
	t      *testing.T
	ca     authority
	err    error
	change func(*Response)
	asked  []Request

	identity ed25519.PublicKey // of front-door, for renewals
	renewals []RenewRequest

	mu sync.Mutex // of err and renewals, while a renewal may be served
}

// refuse makes the issuer refuse with err, or not any more.
func (i *issuer) refuse(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

func (i *issuer) Issue(_ context.Context, r Request) (Response, error) {
	i.asked = append(i.asked, r)
	if i.err != nil {
		return Response{}, i.err
	}
	return i.certify(r.CSR)
}

func (i *issuer) Renew(_ context.Context, r RenewRequest) (Response, error) {
	i.mu.Lock()
	i.renewals = append(i.renewals, r)
	err := i.err
	i.mu.Unlock()
	if err != nil {
		return Response{}, err
	}
	if err := r.Verify(i.identity); err != nil {
		return Response{}, err
	}
	return i.certify(r.CSR)
}

func (i *issuer) Release(_ context.Context, r ReleaseRequest) error {
	if i.err != nil {
		return i.err
	}
	return r.Verify(i.identity)
}

func (i *issuer) certify(der []byte) (Response, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return Response{}, err
	}
	answer := Response{
		Device: "front-door", Certificate: i.ca.device(i.t, "front-door", csr.PublicKey), CA: i.ca.cert.Raw, ReceiptKey: receiptKey,
	}
	if i.change != nil {
		i.change(&answer)
	}
	return answer, csr.CheckSignature()
}

// listener serves one connection on loopback; done has what serve returned, or the error of the handshake.
type listener struct {
	addr string
	done chan error
}

func listen(t *testing.T, config *tls.Config, serve func(net.Conn) error) listener {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		if err := conn.(*tls.Conn).Handshake(); err != nil {
			done <- err
			return
		}
		done <- serve(conn)
	}()
	return listener{l.Addr().String(), done}
}

// tap keeps what is read.
type tap struct {
	net.Conn
	got *[]byte
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	*t.got = append(*t.got, b[:n]...)
	return n, err
}
