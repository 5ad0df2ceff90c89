// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/nightjar-cam/nightjar/keys"
)

// RenewALPN is the name of the renewal protocol in the TLS handshake. It shares the hub's one port with MQTT and enrolment.
const RenewALPN = "nightjar-renew/1"

const (
	renewPrefix = "nightjar-renew-v1\x00"
	// exporterLabel names the keying material that ties a proof to its connection (RFC 9266 does the same with its own label).
	exporterLabel = "EXPORTER-nightjar-renew"
)

// ErrNotOurHub is returned when the server leads to no CA that the credential trusts.
var ErrNotOurHub = errors.New("the server shows no CA that this camera trusts: check the address; if it is the hub, its CA was " +
	"rotated twice while the camera was away: enrol the camera again with a token from `nightjar-hub token`")

// Renew makes a new operational key and has the hub of c certify it, which the identity alone is asked for: c may have expired
// long ago. The refusals of the hub are the errors ErrUnknownDevice, ErrRevoked, ErrBadRequest and ErrHub. Nothing is saved.
func Renew(ctx context.Context, c keys.Credential, identity keys.Identity) (keys.Credential, error) {
	return renew(ctx, openTCP, c, identity)
}

func renew(ctx context.Context, open opener, c keys.Credential, identity keys.Identity) (keys.Credential, error) {
	fresh, err := exchange(ctx, open, c.Hub, RenewALPN,
		func(chain []*x509.Certificate) (*x509.Certificate, error) { return verifyTrusted(chain, c) },
		func(conn *tls.Conn, csr []byte) (any, error) {
			r := RenewRequest{Version: version, Device: c.Device, CSR: csr}
			err := r.bind(conn)
			r.Proof = identity.Sign(r.text())
			return r, err
		})
	if err == nil && fresh.Device != c.Device {
		err = fmt.Errorf("the hub's answer: it is for camera %s", fresh.Device)
	}
	if err != nil {
		return keys.Credential{}, fmt.Errorf("renew the certificate at %s: %w", c.Hub, err)
	}
	return fresh, nil
}

// verifyTrusted checks a server's chain and returns which of the trusted CAs it leads to.
func verifyTrusted(chain []*x509.Certificate, c keys.Credential) (*x509.Certificate, error) {
	for _, ca := range c.CAs() {
		err := verifyServer(chain[0], ca)
		if _, foreign := errors.AsType[x509.UnknownAuthorityError](err); !foreign {
			return ca, err
		}
	}
	return nil, ErrNotOurHub
}

// RenewRequest asks for a certificate of a new key for an enrolled device.
type RenewRequest struct {
	Version int    `json:"v"`
	Device  string `json:"device"`
	CSR     []byte `json:"csr"`   // PKCS #10 DER, ECDSA P-256: the new operational key
	Proof   []byte `json:"proof"` // by the identity, over this connection, the CSR and the device

	binding []byte // of the connection the request goes through
}

// bind takes what only the two ends of conn know. A proof over it is worth nothing on another connection.
func (r *RenewRequest) bind(conn *tls.Conn) (err error) {
	r.binding, err = exported(conn, exporterLabel)
	return err
}

func exported(conn *tls.Conn, label string) ([]byte, error) {
	state := conn.ConnectionState()
	return state.ExportKeyingMaterial(label, nil, 32)
}

// text is what the identity signs. All but the device, which comes last, has a fixed length.
func (r RenewRequest) text() []byte {
	csr := sha256.Sum256(r.CSR)
	return fmt.Appendf(nil, "%s%s%s%s", renewPrefix, r.binding, csr[:], r.Device)
}

// Verify checks the proof by the identity that the hub has on record for the device. The error wraps [ErrUnknownDevice], as for
// a device that the hub never saw: a stranger must not learn names by trying.
func (r RenewRequest) Verify(identity ed25519.PublicKey) error {
	if len(r.binding) == 0 || !ed25519.Verify(identity, r.text(), r.Proof) {
		return fmt.Errorf("%w: the proof is not by the identity of %s on this connection", ErrUnknownDevice, r.Device)
	}
	return nil
}

// ServeRenewal answers one request on conn and leaves conn open. It returns why the certificate was not renewed.
func ServeRenewal(ctx context.Context, conn *tls.Conn, issuer Issuer) error {
	return serve(ctx, conn, func(r RenewRequest) (Response, error) {
		if err := wellFormed(r.Version, r.Device, r.bind(conn)); err != nil {
			return Response{}, err
		}
		return issuer.Renew(ctx, r)
	})
}

// wellFormed refuses what no device of this release says; bound is how taking the connection's binding ended.
func wellFormed(v int, device string, bound error) error {
	if v != version {
		return fmt.Errorf("%w: version %d, this hub knows %d", ErrBadRequest, v, version)
	}
	if err := errors.Join(keys.ValidDevice(device), bound); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return nil
}
