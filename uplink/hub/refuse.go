// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// Refused is why a connection was turned away or ended. It is the attribute "code" of the one log
// message that says so. The values are stable.
type Refused string

const (
	RefusedTLSVersion    Refused = "tls-version"           // offers no TLS 1.3
	RefusedNoCertificate Refused = "no-certificate"        // shows no client certificate
	RefusedForeignCA     Refused = "foreign-ca"            // certificate of another CA
	RefusedExpired       Refused = "certificate-expired"   // or not yet valid
	RefusedCertificate   Refused = "certificate-unfit"     // of our CA, but not a device's
	RefusedUnknownDevice Refused = "device-unknown"        // the store has no such device
	RefusedRevoked       Refused = "device-revoked"        // `nightjar-hub revoke`
	RefusedTooMany       Refused = "too-many-connections"  // Config.MaxConnections
	RefusedElsewhere     Refused = "broker-elsewhere"      // asks for MQTT here, and this hub is behind a broker
	RefusedBusy          Refused = "device-busy"           // its former connection is not through with its last message
	RefusedConnect       Refused = "connect-unfit"         // MQTT CONNECT that is not for this hub
	RefusedTopic         Refused = "topic-forbidden"       // publish or subscribe outside the device's own topics
	RefusedPacket        Refused = "packet-too-large"      // MQTT packet over the limit
	RefusedMessage       Refused = "message-malformed"     // payload that is none of ours
	RefusedProtocol      Refused = "protocol-error"        // MQTT that a client does not speak
	RefusedEnrolment     Refused = "enrolment-refused"     // token, proof or request
	RefusedRenewal       Refused = "renewal-refused"       // device, proof or request
	RefusedRelease       Refused = "release-refused"       // device, proof or request
	brokenOff            Refused = "connection-broken-off" // by the other side or by time; nothing was refused
	handshakeFailed      Refused = "handshake-failed"      // not TLS, or nothing in common
)

// A refusal is an error with its code.
type refusal struct {
	code Refused
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(code Refused, format string, args ...any) *refusal {
	return &refusal{code, fmt.Errorf(format, args...)}
}

// handshakeRefusal explains why a TLS handshake failed. hello is nil when none arrived.
func handshakeRefusal(err error, hello *tls.ClientHelloInfo) *refusal {
	var known *refusal
	var cert *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &known):
		return known
	case hello != nil && !offers13(hello):
		return refuse(RefusedTLSVersion, "client offers no TLS 1.3: %w", err)
	case errors.As(err, &cert):
		return certificateRefusal(cert)
	case hello != nil && err.Error() == errNoCertificate:
		return refuse(RefusedNoCertificate, "client shows no certificate of this hub's CA: %w", err)
	case errors.As(err, &notTLS):
		return refuse(handshakeFailed, "client does not speak TLS: %w", err)
	case hello == nil || errors.As(err, &timeout):
		return refuse(brokenOff, "handshake broken off: %w", err)
	}
	return refuse(handshakeFailed, "handshake failed: %w", err)
}

// errNoCertificate is the text of an error that crypto/tls does not export. A test holds it to that.
const errNoCertificate = "tls: client didn't provide a certificate"

func offers13(hello *tls.ClientHelloInfo) bool {
	for _, v := range hello.SupportedVersions {
		if v == tls.VersionTLS13 {
			return true
		}
	}
	return false
}

func certificateRefusal(err *tls.CertificateVerificationError) *refusal {
	var foreign x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	leaf := err.UnverifiedCertificates[0]
	switch {
	case errors.As(err, &foreign):
		return refuse(RefusedForeignCA, "certificate %q is not of this hub's CA: %w", leaf.Subject.CommonName, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return refuse(RefusedExpired, "certificate %q is valid from %s to %s: %w", leaf.Subject.CommonName,
			leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339), err)
	}
	return refuse(RefusedCertificate, "certificate %q: %w", leaf.Subject.CommonName, err)
}
