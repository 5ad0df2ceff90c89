// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Identity is a device's long-lived Ed25519 key: it signs records and enrolment requests. The zero value holds no key.
// The key lies in a closure: where fmt cannot call Format, in an unexported field of another struct, it prints an address. Behind
// a pointer %s would still find the key.
type Identity struct{ private func() ed25519.PrivateKey }

func holding(key ed25519.PrivateKey) Identity {
	return Identity{func() ed25519.PrivateKey { return key }}
}

// NewIdentity makes an identity from the system's random source.
func NewIdentity() (Identity, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return holding(private), err
}

// Public returns the key that others verify with.
func (i Identity) Public() ed25519.PublicKey { return i.Key().Public().(ed25519.PublicKey) }

// Key returns the private key, for package record to sign with. It must not be kept or printed.
func (i Identity) Key() ed25519.PrivateKey { return i.private() }

// Sign signs message, which begins with a text that no other kind of message begins with.
func (i Identity) Sign(message []byte) []byte { return ed25519.Sign(i.Key(), message) }

// Fingerprint is a short name of the public key, to compare by eye.
func (i Identity) Fingerprint() string { return Fingerprint(i.Public()) }

// Fingerprint is a short name of a public key: "SHA256:" and the unpadded base64 of its hash, as OpenSSH writes it.
func Fingerprint(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// String names the identity by its public half.
func (i Identity) String() string {
	if i.private == nil {
		return "no identity"
	}
	return "identity " + i.Fingerprint()
}

// Format and LogValue keep the private key out of logs, whatever verb prints it: %d does not ask String.
func (i Identity) Format(f fmt.State, _ rune) { io.WriteString(f, i.String()) }
func (i Identity) LogValue() slog.Value       { return slog.StringValue(i.String()) }

// Credential is what enrolment gives a device.
type Credential struct {
	Device     string            // the id that the hub knows the device by
	TLS        tls.Certificate   // operational certificate and key
	CA         *x509.Certificate // the hub's CA; it and NextCA are the only ones trusted
	ReceiptKey ed25519.PublicKey // verifies the hub's receipts
	Hub        string            // host:port; enrols and renews
	MQTT       string            // host:port of the broker before the hub; empty: the hub itself

	// The hub's spares. They take over when the hub rotates its keys, and the device that is told so knows them already.
	NextCA         *x509.Certificate // nil: none
	NextReceiptKey ed25519.PublicKey // nil: none
}

// Broker returns the address that speaks MQTT, host:port.
func (c Credential) Broker() string {
	if c.MQTT != "" {
		return c.MQTT
	}
	return c.Hub
}

// CAs returns the certificate authorities that a hub's certificate may be of.
func (c Credential) CAs() []*x509.Certificate {
	if c.NextCA == nil {
		return []*x509.Certificate{c.CA}
	}
	return []*x509.Certificate{c.CA, c.NextCA}
}

// ReceiptKeys returns the keys that a receipt may be signed with.
func (c Credential) ReceiptKeys() []ed25519.PublicKey {
	if c.NextReceiptKey == nil {
		return []ed25519.PublicKey{c.ReceiptKey}
	}
	return []ed25519.PublicKey{c.ReceiptKey, c.NextReceiptKey}
}

// SetNext sets the hub's spares from what it sent, or a file holds: a CA in DER and an Ed25519 key, either may be empty.
func (c *Credential) SetNext(ca, receiptKey []byte) (err error) {
	c.NextCA, c.NextReceiptKey = nil, nil
	if len(ca) > 0 {
		if c.NextCA, err = x509.ParseCertificate(ca); err != nil {
			return fmt.Errorf("next CA: %w", err)
		}
		if !c.NextCA.IsCA {
			return errors.New("next CA: the certificate is not one of a CA")
		}
	}
	if len(receiptKey) > 0 {
		if len(receiptKey) != ed25519.PublicKeySize {
			return fmt.Errorf("next receipt key of %d bytes", len(receiptKey))
		}
		c.NextReceiptKey = receiptKey
	}
	return nil
}

// String names the device and its hub.
func (c Credential) String() string { return "credential of " + c.Device + " for " + c.Hub }

// Format, LogValue and MarshalText, which encoding/json uses too, keep the private key out of logs.
func (c Credential) Format(f fmt.State, _ rune)   { io.WriteString(f, c.String()) }
func (c Credential) LogValue() slog.Value         { return slog.StringValue(c.String()) }
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ClientTLS returns the configuration to reach the hub with: TLS 1.3, the hub's CA or its spare and no other, our certificate always. The
// certificate needs its Leaf.
func (c Credential) ClientTLS() *tls.Config {
	roots := x509.NewCertPool()
	for _, ca := range c.CAs() {
		roots.AddCert(ca)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    roots,
		ServerName: HubName,
		Time:       func() time.Time { return NowSince(c.TLS.Leaf) },
		// Certificates would be withheld from a server that names other CAs; sending it gives the clearer refusal.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.TLS, nil },
	}
}

// NowSince returns the time to check certificates at: now, but not before cert began. A board without a battery starts in 1970
// and may never hear of the time; then a certificate that it trusts is the best clock it has. An end is never put off by this.
func NowSince(cert *x509.Certificate) time.Time {
	if now := time.Now(); now.After(cert.NotBefore) {
		return now
	}
	return cert.NotBefore
}

// ErrNotEnrolled is returned while the store holds no credential.
var ErrNotEnrolled = errors.New("this camera is not enrolled: get a token with `nightjar-hub token` and run `nightjar enroll`")
