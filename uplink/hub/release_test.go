// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// A camera that takes leave is let in no more, by nothing that it has; its name stays its records'.
func TestReleasedDeviceIsUnclaimed(t *testing.T) {
	s := newSite(t)
	credential := s.Enroll(t, "garage")
	garage, online := connect(t, s.Addr, credential.ClientTLS(), "garage"), connect(t, s.Addr, s.tls, "porch")
	stranger := s.Identity(t, "attic")
	if err := enroll.Release(t.Context(), credential, stranger); !errors.Is(err, enroll.ErrUnknownDevice) {
		t.Errorf("released by a stranger: %v", err)
	}
	s.Log.Await(t, string(hub.RefusedRelease))
	a, err := archive.Open(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if r, yes := a.Revoked("garage"); yes {
		t.Fatalf("a stranger has it locked out: %+v", r)
	}
	for range 2 { // the answer may be lost on its way
		if err := enroll.Release(t.Context(), credential, s.Identity(t, "garage")); err != nil {
			t.Fatal(err)
		}
	}
	if r, yes := a.Revoked("garage"); !yes || !r.Unclaimed {
		t.Errorf("after it took leave: %+v, %v", r, yes)
	}
	if _, err := enroll.Renew(t.Context(), credential, s.Identity(t, "garage")); !errors.Is(err, enroll.ErrRevoked) {
		t.Errorf("renewed: %v", err)
	}
	fresh, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Enroll(t.Context(), s.Addr, s.Token(t, "garage"), fresh); !errors.Is(err, enroll.ErrOtherIdentity) {
		t.Errorf("the name was given again: %v", err)
	}
	garage.ended()
	if _, open := online.ping(); !open {
		t.Error("another camera was disconnected")
	}
	// One that was revoked stays so, whatever it says.
	attic := s.Enroll(t, "attic")
	if err := store.Revoke(s.Dir, "attic", "stolen", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := enroll.Release(t.Context(), attic, stranger); err != nil {
		t.Error(err)
	}
	if r, _ := a.Revoked("attic"); r.Unclaimed || r.Reason != "stolen" {
		t.Errorf("a revocation was overwritten: %+v", r)
	}
}

// The protocol is nothing but that: no MQTT without a certificate through its door.
func TestReleaseIsNoWayIn(t *testing.T) {
	s := newSite(t)
	cfg := s.tls.Clone()
	cfg.GetClientCertificate = nil
	cfg.NextProtos = []string{enroll.ReleaseALPN, "mqtt"}
	c := dial(t, s.Addr, cfg, keys.HubName)
	c.connect(nil)
	c.ended()
	s.Log.Await(t, string(hub.RefusedRelease))
}
