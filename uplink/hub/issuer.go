// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// An issuer answers requests to enrol, to renew and to be released. It may be used from any goroutine.
type issuer struct {
	ca      *authority
	store   *store.Store
	tokens  string
	receipt ed25519.PublicKey
	next    ed25519.PublicKey // receipt key of after the next rotation
	broker  string            // host:port that devices are to speak MQTT with; "": this hub
	log     *slog.Logger
}

// Issue certifies a device that bears an unused token and proves that it holds its identity. The token
// is used, durably, before the certificate leaves: a crash in between costs a new token, never a second
// certificate. A name keeps its first identity, or the records of the two could not be told apart.
func (i *issuer) Issue(_ context.Context, r enroll.Request) (enroll.Response, error) {
	var none enroll.Response
	if err := r.Verify(); err != nil {
		return none, err
	}
	key, err := requestKey(r.CSR)
	if err != nil {
		return none, fmt.Errorf("%w: %w", enroll.ErrBadRequest, err)
	}
	now := time.Now()
	secret := [16]byte(r.Secret)
	granted, err := lookUp(i.tokens, secret, now)
	if err != nil {
		return none, err
	}
	err = i.store.Add(archive.About{ID: granted.Device, Identity: ed25519.PublicKey(r.Identity), Enrolled: now.UTC().Truncate(time.Second)})
	if errors.Is(err, store.ErrOtherIdentity) {
		return none, fmt.Errorf("%w: %w", enroll.ErrOtherIdentity, err)
	}
	if errors.Is(err, store.ErrRevoked) {
		return none, fmt.Errorf("%w: %w", enroll.ErrRevoked, err)
	}
	if err != nil {
		return none, err
	}
	if err := use(i.tokens, secret); err != nil {
		return none, err
	}
	return i.certify(granted.Device, key, now, "device enrolled")
}

// Renew certifies a new key of a device that the store knows, for the proof of its identity alone: a certificate that expired
// long ago, or none, is no hindrance. Nothing is kept of it, so a renewal that is cut anywhere can be done again.
func (i *issuer) Renew(_ context.Context, r enroll.RenewRequest) (enroll.Response, error) {
	var none enroll.Response
	device, err := i.store.Archive().Device(r.Device)
	if errors.Is(err, archive.ErrNoDevice) {
		return none, fmt.Errorf("%w: %w", enroll.ErrUnknownDevice, err)
	}
	if err != nil {
		return none, err
	}
	if err := r.Verify(device.Identity); err != nil {
		return none, err
	}
	if since, yes := device.Revoked(); yes { // told to who proved to be the device, and to nobody else
		return none, fmt.Errorf("%w: %s since %s", enroll.ErrRevoked, device.ID, since.At.Format(time.RFC3339))
	}
	key, err := requestKey(r.CSR)
	if err != nil {
		return none, fmt.Errorf("%w: %w", enroll.ErrBadRequest, err)
	}
	return i.certify(device.ID, key, time.Now(), "certificate renewed")
}

// Release marks a device that was reset as unclaimed. One that is locked out already stays so.
func (i *issuer) Release(_ context.Context, r enroll.ReleaseRequest) error {
	device, err := i.store.Archive().Device(r.Device)
	if errors.Is(err, archive.ErrNoDevice) {
		return fmt.Errorf("%w: %w", enroll.ErrUnknownDevice, err)
	}
	if err != nil {
		return err
	}
	if err := r.Verify(device.Identity); err != nil {
		return err
	}
	if err := i.store.Unclaim(device.ID, time.Now()); err != nil {
		return err
	}
	i.log.Info("device was reset and is unclaimed", "code", "device-unclaimed", "device", device.ID)
	return nil
}

// certify makes the answer to a request that was granted.
func (i *issuer) certify(device string, key *ecdsa.PublicKey, now time.Time, event string) (enroll.Response, error) {
	cert, err := i.ca.issueDevice(device, key, now)
	if err != nil {
		return enroll.Response{}, err
	}
	i.log.Info(event, "device", device, "until", now.Add(DeviceLifetime).UTC().Format(time.RFC3339))
	r := enroll.Response{Device: device, Certificate: cert, CA: i.ca.cert.Raw, ReceiptKey: i.receipt, NextReceiptKey: i.next, MQTT: i.broker}
	if i.ca.next != nil {
		r.NextCA = i.ca.next.Raw
	}
	return r, nil
}

// requestKey returns the key of a certificate request that proves possession of it.
func requestKey(der []byte) (*ecdsa.PublicKey, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key is not ECDSA P-256")
	}
	return key, nil
}
