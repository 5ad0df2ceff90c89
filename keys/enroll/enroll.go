// SPDX-License-Identifier: Apache-2.0

// Package enroll makes a new device known to a hub. The device calls [Enroll] with a [Token] that the hub's owner made; the
// hub calls [Serve] for each connection that asks for the protocol [ALPN], with an [Issuer] that decides.
//
// Over TLS 1.3 without a client certificate, one message goes each way. The token pins the hub's CA and holds a secret that
// works once. The device sends a certificate request and proves that it holds its identity; no private key is ever sent.
package enroll

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
)

// ALPN is the protocol's name in the TLS handshake (RFC 7301). It shares the hub's one port with MQTT.
const ALPN = "nightjar-enroll/1"

// patience bounds one enrolment, from the connection to the answer.
const patience = 30 * time.Second

// ErrPin is returned when the hub does not lead to the CA that the token names.
var ErrPin = errors.New("this is not the hub that made the token: its CA is another one; check the address")

// Enroll makes an operational key and has the hub at addr (host:port) certify it. The refusals of the hub are the errors
// ErrToken..., ErrOtherIdentity, ErrBadRequest and ErrHub. The token is used up when the error came after the hub's decision.
func Enroll(ctx context.Context, addr string, token Token, identity keys.Identity) (keys.Credential, error) {
	c, err := enrol(ctx, addr, token, identity)
	if err != nil {
		return keys.Credential{}, fmt.Errorf("enrol at %s: %w", addr, err)
	}
	return c, nil
}

func enrol(ctx context.Context, addr string, token Token, identity keys.Identity) (keys.Credential, error) {
	var none keys.Credential
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return none, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "nightjar camera"}}, key)
	if err != nil {
		return none, err
	}
	var ca *x509.Certificate
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{ALPN},
		ServerName: keys.HubName,
		// The CA is known by its hash only, so crypto/tls cannot verify the chain; VerifyConnection does.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) (err error) {
			ca, err = verifyPinned(cs.PeerCertificates, token.CA)
			return err
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return none, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()

	secret := token.Secret[:]
	request := Request{Version: version, Secret: secret, CSR: csr, Identity: identity.Public(), Proof: identity.Sign(proofText(secret, csr))}
	if err := write(conn, request); err != nil {
		return none, fmt.Errorf("send request: %w", err)
	}
	var response Response
	if err := read(conn, &response); err != nil {
		return none, fmt.Errorf("read answer: %w", err)
	}
	if response.Code != "" {
		return none, refusal(response.Code)
	}
	c, err := credential(response, ca, key)
	if err != nil {
		return none, fmt.Errorf("the hub's answer: %w", err)
	}
	c.Hub = addr
	return c, nil
}

// verifyPinned checks a server's chain against the one CA that has the pinned hash; the chain must contain it.
func verifyPinned(chain []*x509.Certificate, pin [32]byte) (*x509.Certificate, error) {
	for _, cert := range chain {
		if sha256.Sum256(cert.Raw) != pin || !cert.IsCA {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(cert)
		_, err := chain[0].Verify(x509.VerifyOptions{
			Roots:       roots,
			DNSName:     keys.HubName,
			CurrentTime: keys.NowSince(chain[0]),
			KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		return cert, err
	}
	return nil, ErrPin
}

// credential checks that the answer fits what was asked: a hub that mixes devices up is found here, not in the field.
func credential(r Response, ca *x509.Certificate, key *ecdsa.PrivateKey) (keys.Credential, error) {
	var none keys.Credential
	if r.Version != version {
		return none, fmt.Errorf("version %d, this program knows %d: update it", r.Version, version)
	}
	if err := keys.ValidDevice(r.Device); err != nil {
		return none, err
	}
	if !ca.Equal(&x509.Certificate{Raw: r.CA}) {
		return none, errors.New("it names another CA than the connection")
	}
	if len(r.ReceiptKey) != ed25519.PublicKeySize {
		return none, fmt.Errorf("receipt key of %d bytes", len(r.ReceiptKey))
	}
	leaf, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return none, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: keys.NowSince(leaf),
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return none, err
	}
	if leaf.Subject.CommonName != r.Device || !key.PublicKey.Equal(leaf.PublicKey) {
		return none, errors.New("the certificate is for another device or key")
	}
	return keys.Credential{
		Device:     r.Device,
		TLS:        tls.Certificate{Certificate: [][]byte{r.Certificate}, PrivateKey: key, Leaf: leaf},
		CA:         ca,
		ReceiptKey: r.ReceiptKey,
	}, nil
}

// An Issuer decides about requests that [Request.Verify] found good. Issue may be called from several goroutines; it uses the
// token up before it returns a certificate. An error is sent by its code when it wraps one of this package's, and as [ErrHub]
// otherwise.
type Issuer interface {
	Issue(ctx context.Context, r Request) (Response, error)
}

// Serve answers one request on conn, a TLS connection, and leaves conn open. It returns why the device was not enrolled.
func Serve(ctx context.Context, conn net.Conn, issuer Issuer) error {
	conn.SetDeadline(time.Now().Add(patience))
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	var request Request
	err := read(conn, &request)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrBadRequest, err)
	} else {
		err = request.Verify()
	}
	var response Response
	if err == nil {
		response, err = issuer.Issue(ctx, request)
	}
	if err != nil {
		response = Response{Code: codeOf(err)}
	}
	response.Version = version
	return errors.Join(err, write(conn, response))
}
