// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

func revoke(t *testing.T, s *site) {
	t.Helper()
	if err := store.Revoke(s.Dir, "porch", "stolen", time.Now()); err != nil {
		t.Fatal(err)
	}
}

// endsIdle reports whether a session that says nothing ends once its device is revoked.
func endsIdle(t *testing.T, within time.Duration, setup func(*hub.Hub)) bool {
	t.Helper()
	s := newSite(t, setup)
	c := s.connect(t)
	c.ping()
	revoke(t, s)
	for end := time.After(within); ; {
		select {
		case _, open := <-c.in:
			if !open {
				wantRefused(t, s.Hub, hub.RefusedRevoked)
				return true
			}
		case <-end:
			return false
		}
	}
}

func TestRevokedSessionEnds(t *testing.T) {
	if !endsIdle(t, patience, func(*hub.Hub) {}) {
		t.Errorf("the session of a revoked device lives after %v", patience)
	}
}

func TestRevokedSessionEndsMutant(t *testing.T) {
	if endsIdle(t, 3*time.Second, hub.NeverLook) {
		t.Error("the session ends without the sweep: TestRevokedSessionEnds proves nothing about it")
	}
}

// A revoked device gets nothing done, neither in the session it has nor in a new one, and its name is
// not enrolled again. What it sent before stays, and with --undo all is as before.
func TestRevokedDevice(t *testing.T) {
	s := newSite(t, hub.NeverLook)
	c := s.connect(t)
	c.send(s.cam.Clip(blob(100, 1), blob(10, 2)))
	token := s.Token(t, "porch")
	revoke(t, s)

	c.offer(s.cam.Loss(record.Overflow, ""))
	if got := c.ended(); len(got) > 0 {
		t.Errorf("the revoked device is answered %s", got[0].Payload)
	}
	s.Log.Await(t, string(hub.RefusedRevoked))
	c = dial(t, s.Addr, s.tls, "porch")
	c.connect(nil)
	if pk, ok := c.next(); ok && pk.ReasonCode == 0 {
		t.Error("a revoked device connects")
	}
	if _, err := enroll.Enroll(t.Context(), s.Addr, token, s.Identity(t, "porch")); !errors.Is(err, enroll.ErrRevoked) {
		t.Errorf("enrolment of a revoked device: %v, want %v", err, enroll.ErrRevoked)
	}
	s.wantStored(t, "porch", 1, 1)

	if err := store.Reinstate(s.Dir, "porch"); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Enroll(t.Context(), s.Addr, token, s.Identity(t, "porch")); err != nil {
		t.Errorf("the token is used up by the refusal: %v", err)
	}
	s.connect(t).ping()
}
