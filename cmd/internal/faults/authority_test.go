// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// An authority is the site's own CA, in the hands of someone who has it, or a foreign one.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.PrivateKey
}

// authority loads the hub's CA.
func (s *site) authority() *authority {
	s.t.Helper()
	pair, err := tls.LoadX509KeyPair(s.path("hub", "ca.crt"), s.path("hub", "ca.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	return &authority{s.t, pair.Leaf, pair.PrivateKey}
}

// foreign makes a CA of the same name that nobody knows.
func foreign(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	root := a.issue("Nightjar hub CA", x509.ExtKeyUsageAny, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
	})
	a.cert, a.key = root.Leaf, root.PrivateKey
	return a
}

// issue makes a certificate, valid for an hour and altered by change. An authority without a certificate signs with the new key itself.
func (a *authority) issue(name string, usage x509.ExtKeyUsage, change func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}, BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// camera issues a device's certificate, as enrolment does.
func (a *authority) camera(device string) tls.Certificate {
	return a.issue(device, x509.ExtKeyUsageClientAuth, nil)
}

// client is the TLS configuration of one who reaches the hub with a certificate, whatever CA the hub asks for.
func (s *site) client(cert tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.authority().cert)
	return &tls.Config{
		RootCAs: roots, ServerName: "nightjar-hub", NextProtos: []string{"mqtt"}, MinVersion: tls.VersionTLS10,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
	}
}
