// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// A camera whose certificate has expired is not let in, renews through the same port by its identity alone, and is let in.
func TestRenewalLetsAnExpiredCameraIn(t *testing.T) {
	s := newSite(t)
	credential := s.Enroll(t, "garage")
	expired := s.tls.Clone()
	use(t, expired, s.Dir, &x509.Certificate{
		Subject: pkix.Name{CommonName: "garage"}, NotBefore: time.Now().AddDate(-1, 0, -60), NotAfter: time.Now().AddDate(-1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	cert, err := expired.GetClientCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		t.Fatal(err)
	}
	wantDeaf(t, dial(t, s.Addr, expired, "garage"))
	credential.TLS = *cert
	fresh, err := enroll.Renew(t.Context(), credential, s.Identity(t, "garage"))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(fresh.TLS.Leaf.NotAfter); left > hub.DeviceLifetime || left < hub.DeviceLifetime-time.Minute {
		t.Errorf("renewed for %v, want %v", left, hub.DeviceLifetime)
	}
	s.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &fresh.TLS, nil }
	connect(t, s.Addr, s.tls, "garage")
}

func TestRenewalIsRefusedAtTheHub(t *testing.T) {
	for name, change := range map[string]func(h *hubtest.Hub, c *keys.Credential) keys.Identity{
		"device that never enrolled": func(h *hubtest.Hub, c *keys.Credential) keys.Identity {
			c.Device = "attic"
			return h.Identity(t, "garage")
		},
		"another camera's identity": func(h *hubtest.Hub, c *keys.Credential) keys.Identity {
			h.Enroll(t, "attic")
			return h.Identity(t, "attic")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := hubtest.Start(t)
			c := h.Enroll(t, "garage")
			id := change(h, &c)
			if got, err := enroll.Renew(t.Context(), c, id); !errors.Is(err, enroll.ErrUnknownDevice) {
				t.Errorf("got %v, %v", got, err)
			}
			wantRefused(t, h, hub.RefusedRenewal)
		})
	}
}

// A revoked camera is told so, and nobody else is; without the revocation the same request is granted.
func TestRevokedDeviceRenewsNothing(t *testing.T) {
	h := hubtest.Start(t)
	c := h.Enroll(t, "garage")
	h.Enroll(t, "attic")
	if err := store.Revoke(h.Dir, "garage", "stolen", time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, err := enroll.Renew(t.Context(), c, h.Identity(t, "garage")); !errors.Is(err, enroll.ErrRevoked) {
		t.Errorf("got %v, %v, want %v", got, err, enroll.ErrRevoked)
	}
	if got, err := enroll.Renew(t.Context(), c, h.Identity(t, "attic")); !errors.Is(err, enroll.ErrUnknownDevice) {
		t.Errorf("a stranger got %v, %v, want %v", got, err, enroll.ErrUnknownDevice)
	}
	if err := store.Reinstate(h.Dir, "garage"); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Renew(t.Context(), c, h.Identity(t, "garage")); err != nil {
		t.Error(err)
	}
}

// The renewal protocol is nothing but that: no MQTT without a certificate through its door.
func TestRenewalIsNoWayIn(t *testing.T) {
	s := newSite(t)
	cfg := s.tls.Clone()
	cfg.GetClientCertificate = nil
	cfg.NextProtos = []string{enroll.RenewALPN, "mqtt"}
	c := dial(t, s.Addr, cfg, keys.HubName)
	c.connect(nil)
	c.ended()
	s.Log.Await(t, string(hub.RefusedRenewal))
}
