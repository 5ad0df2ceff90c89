// SPDX-License-Identifier: Apache-2.0

// Package enroll makes a new device known to a hub, and keeps its certificate fresh. A new device calls [Enroll] with a [Token]
// that the hub's owner made, an enrolled one runs a [Renewal]; the hub calls [Serve] for a connection that asks for the
// protocol [ALPN], [ServeRenewal] for [RenewALPN], and [ServeRelease] for [ReleaseALPN], by which a device takes leave with
// [Release]; an [Issuer] decides.
//
// Over TLS 1.3 without a client certificate, one message goes each way. The token pins the hub's CA and holds a secret that
// works once; in a renewal the credential pins it, and the identity alone speaks for the device, however old its certificate
// is. The device sends a certificate request and proves that it holds its identity; no private key is ever sent.
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
var ErrPin = errors.New("this is not the hub that made the token: its CA is another one; check the address, or make a new token if the hub's CA was rotated since")

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
	secret := token.Secret[:]
	return exchange(ctx, openTCP, addr, ALPN,
		func(chain []*x509.Certificate) (*x509.Certificate, error) { return verifyPinned(chain, token.CA) },
		func(_ *tls.Conn, csr []byte) (any, error) {
			proof := identity.Sign(proofText(secret, csr))
			return Request{Version: version, Secret: secret, CSR: csr, Identity: identity.Public(), Proof: proof}, nil
		})
}

// opener makes the connection that TLS is spoken over; ctx ends the attempt, not the connection.
type opener func(ctx context.Context, network, addr string) (net.Conn, error)

var openTCP opener = new(net.Dialer).DialContext

// exchange makes a key and has the hub certify it. verify returns the CA that the server's chain leads to; ask makes the
// request.
func exchange(ctx context.Context, open opener, addr, protocol string, verify func([]*x509.Certificate) (*x509.Certificate, error),
	ask func(conn *tls.Conn, csr []byte) (any, error)) (keys.Credential, error) {
	var none keys.Credential
	key, csr, err := newRequest()
	if err != nil {
		return none, err
	}
	response, ca, err := converse(ctx, open, addr, protocol, verify, func(conn *tls.Conn) (any, error) { return ask(conn, csr) })
	if err != nil {
		return none, err
	}
	c, err := credential(response, ca, key)
	if err != nil {
		return none, fmt.Errorf("the hub's answer: %w", err)
	}
	c.Hub = addr
	return c, nil
}

// converse sends one request and returns the answer to it, and what verify did. Nothing is sent to a server that verify refused.
func converse(ctx context.Context, open opener, addr, protocol string, verify func([]*x509.Certificate) (*x509.Certificate, error),
	ask func(*tls.Conn) (any, error)) (response Response, ca *x509.Certificate, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raw, err := open(ctx, "tcp", addr)
	if err != nil {
		return response, nil, err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.SetDeadline(time.Now()) })()
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{protocol},
		ServerName: keys.HubName,
		// crypto/tls knows one clock and full roots; here the CA may be known by its hash, and the clock is not to be trusted.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) (err error) {
			ca, err = verify(cs.PeerCertificates)
			return err
		},
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		return response, nil, err
	}
	request, err := ask(conn)
	if err != nil {
		return response, nil, err
	}
	if err := write(conn, request); err != nil {
		return response, nil, fmt.Errorf("send request: %w", err)
	}
	if err := read(conn, &response); err != nil {
		return response, nil, fmt.Errorf("read answer: %w", err)
	}
	if response.Code != "" {
		return response, nil, refusal(response.Code)
	}
	return response, ca, nil
}

// newRequest makes an operational key and the request to certify it.
func newRequest() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	subject := pkix.Name{CommonName: "nightjar camera"} // the hub knows better
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	return key, csr, err
}

// verifyPinned checks a server's chain against the one CA that has the pinned hash; the chain must contain it.
func verifyPinned(chain []*x509.Certificate, pin [32]byte) (*x509.Certificate, error) {
	for _, cert := range chain {
		if sha256.Sum256(cert.Raw) != pin || !cert.IsCA {
			continue
		}
		return cert, verifyServer(chain[0], cert)
	}
	return nil, ErrPin
}

// verifyServer checks that leaf is a hub's certificate of this CA.
func verifyServer(leaf, ca *x509.Certificate) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:       roots,
		DNSName:     keys.HubName,
		CurrentTime: keys.NowSince(leaf),
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
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
	if err := validBroker(r.MQTT); err != nil {
		return none, err
	}
	c := keys.Credential{
		Device:     r.Device,
		TLS:        tls.Certificate{Certificate: [][]byte{r.Certificate}, PrivateKey: key, Leaf: leaf},
		CA:         ca,
		ReceiptKey: r.ReceiptKey,
		MQTT:       r.MQTT,
	}
	return c, c.SetNext(r.NextCA, r.NextReceiptKey)
}

// validBroker checks the address of a broker, which may be missing.
func validBroker(addr string) error {
	if addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" || len(addr) > maxAddr {
		return fmt.Errorf("its broker %.80q is no HOST:PORT", addr)
	}
	return nil
}

// An Issuer decides about requests. Its methods may be called from several goroutines. An error is sent by its code when it
// wraps one of this package's, and as [ErrHub] otherwise.
type Issuer interface {
	// Issue certifies a new device. [Request.Verify] found the request good. The token is used up before a certificate is returned.
	Issue(ctx context.Context, r Request) (Response, error)
	// Renew certifies a device that the hub knows. The issuer looks up the device's identity and calls [RenewRequest.Verify] with it.
	Renew(ctx context.Context, r RenewRequest) (Response, error)
	// Release locks a device out that says that it is none any more, durably. It looks up and verifies as Renew does.
	Release(ctx context.Context, r ReleaseRequest) error
}

// Serve answers one request on conn, a TLS connection, and leaves conn open. It returns why the device was not enrolled.
func Serve(ctx context.Context, conn net.Conn, issuer Issuer) error {
	return serve(ctx, conn, func(request Request) (Response, error) {
		if err := request.Verify(); err != nil {
			return Response{}, err
		}
		return issuer.Issue(ctx, request)
	})
}

// serve reads one request of the type R, decides, and answers.
func serve[R any](ctx context.Context, conn net.Conn, decide func(R) (Response, error)) error {
	conn.SetDeadline(time.Now().Add(patience))
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	var request R
	var response Response
	err := read(conn, &request)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrBadRequest, err)
	} else {
		response, err = decide(request)
	}
	if err != nil {
		response = Response{Code: codeOf(err)}
	}
	response.Version = version
	return errors.Join(err, write(conn, response))
}
