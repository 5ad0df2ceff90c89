// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
)

// A camera renews its certificate by command, lives through a rotation of the hub's keys, and is refused and taken back as its
// owner says; all with the programs as they are shipped.
func TestRenewalThroughARotation(t *testing.T) {
	s := newSite(t)
	renew := func() (string, error) {
		out, stderr, err := s.try("nightjar", "renew", "--state", s.path("camera"))
		return out + stderr, err
	}
	if out, err := renew(); err != nil || !strings.Contains(out, "renewed the certificate of porch until 20") {
		t.Fatalf("renew: %v\n%s", err, out)
	}
	s.run("nightjar-hub", "ca", "rotate", "--dir", s.path("hub"))
	s.hub.Kill()
	s.startHub()
	if out, err := renew(); err != nil {
		t.Fatalf("renew after a rotation: %v\n%s", err, out)
	}
	s.run("nightjar-hub", "revoke", "--dir", s.path("hub"), device)
	if out, err := renew(); err == nil || !strings.Contains(out, "revoked") {
		t.Errorf("renew of a revoked camera: %v\n%s", err, out)
	}
	s.run("nightjar-hub", "revoke", "--dir", s.path("hub"), "--undo", device)
	// The camera trusts CA and spare of before. A second rotation brings a CA that it knows, a third one that it does not.
	for range 2 {
		s.run("nightjar-hub", "ca", "rotate", "--force", "--dir", s.path("hub"))
	}
	s.hub.Kill()
	s.startHub()
	if out, err := renew(); err == nil || !strings.Contains(out, "rotated twice") || !strings.Contains(out, "nightjar-hub token") {
		t.Errorf("renew after two rotations: %v\n%s", err, out)
	}
}
