// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/nightjar-cam/nightjar/keys"
)

// ReleaseALPN is the name, in the TLS handshake, of the protocol by which a camera takes leave.
const ReleaseALPN = "nightjar-release/1"

const (
	releasePrefix = "nightjar-release-v1\x00"
	releaseLabel  = "EXPORTER-nightjar-release"
)

// Release tells the hub of c that the device is about to destroy its identity, and returns once the hub has it durably: from then
// on it lets nobody in by the device's name. The identity alone is asked for, as by [Renew], and so are its refusals.
func Release(ctx context.Context, c keys.Credential, identity keys.Identity) error {
	return release(ctx, openTCP, c, identity)
}

func release(ctx context.Context, open opener, c keys.Credential, identity keys.Identity) error {
	_, _, err := converse(ctx, open, c.Hub, ReleaseALPN,
		func(chain []*x509.Certificate) (*x509.Certificate, error) { return verifyTrusted(chain, c) },
		func(conn *tls.Conn) (any, error) {
			r := ReleaseRequest{Version: version, Device: c.Device}
			err := r.bind(conn)
			r.Proof = identity.Sign(r.text())
			return r, err
		})
	if err != nil {
		return fmt.Errorf("take leave of the hub at %s: %w", c.Hub, err)
	}
	return nil
}

// ReleaseRequest says that a device is none any more.
type ReleaseRequest struct {
	Version int    `json:"v"`
	Device  string `json:"device"`
	Proof   []byte `json:"proof"` // by the identity, over this connection and the device

	binding []byte
}

func (r *ReleaseRequest) bind(conn *tls.Conn) (err error) {
	r.binding, err = exported(conn, releaseLabel)
	return err
}

func (r ReleaseRequest) text() []byte {
	return fmt.Appendf(nil, "%s%s%s", releasePrefix, r.binding, r.Device)
}

// Verify is [RenewRequest.Verify].
func (r ReleaseRequest) Verify(identity ed25519.PublicKey) error {
	if len(r.binding) == 0 || !ed25519.Verify(identity, r.text(), r.Proof) {
		return fmt.Errorf("%w: the proof is not by the identity of %s on this connection", ErrUnknownDevice, r.Device)
	}
	return nil
}

// ServeRelease answers one request on conn and leaves conn open. It returns why the device was not released.
func ServeRelease(ctx context.Context, conn *tls.Conn, issuer Issuer) error {
	return serve(ctx, conn, func(r ReleaseRequest) (Response, error) {
		if err := wellFormed(r.Version, r.Device, r.bind(conn)); err != nil {
			return Response{}, err
		}
		return Response{Device: r.Device}, issuer.Release(ctx, r)
	})
}
