// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

func TestRevoke(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	about := archive.About{ID: "porch", Identity: c.Public()}
	if _, yes := s.Archive().Revoked("porch"); yes {
		t.Error("revoked from the start")
	}
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, reason := range []string{"stolen", "another reason"} {
		if err := Revoke(s.dir, "porch", reason, at); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Hour)
	}
	if r, yes := s.Archive().Revoked("porch"); !yes || r.Reason != "stolen" || !r.At.Equal(at.Add(-2*time.Hour)) {
		t.Errorf("revocation %+v, %v", r, yes)
	}
	if err := s.Add(about); !errors.Is(err, ErrRevoked) {
		t.Errorf("add a revoked device: %v", err)
	}
	// What cannot be read must not let the device in again.
	path := archive.RevokedPath(archive.DeviceDir(s.dir, "porch"))
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, yes := s.Archive().Revoked("porch"); !yes || r.Reason == "" {
		t.Errorf("damaged revocation %+v, %v", r, yes)
	}
	for range 2 {
		if err := Reinstate(s.dir, "porch"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add(about); err != nil {
		t.Errorf("add a reinstated device: %v", err)
	}
	if err := Revoke(s.dir, "garage", "", at); !errors.Is(err, archive.ErrNoDevice) {
		t.Errorf("revoke an unknown device: %v", err)
	}
	if err := Revoke(s.dir, "porch", strings.Repeat("x", maxReason+1), at); err == nil {
		t.Error("an endless reason was taken")
	}
}
