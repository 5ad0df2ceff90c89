// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"sync/atomic"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink"
)

// A session that is refused for an old certificate gets in with the new one at its next connection, without a restart.
func TestSessionTakesTheNewCredential(t *testing.T) {
	s := newSite(t, 0)
	good := s.cred
	s.cred.TLS = expired(t, s.hub.Dir)
	var present atomic.Pointer[keys.Credential]
	present.Store(&s.cred)
	session := s.sessionWith(t, uplink.Config{Body: "clip", Details: "details", Credential: func() keys.Credential { return *present.Load() }})
	run(t, session)
	await(t, "a refusal", func() bool { return session.Status().Err != nil })
	present.Store(&good)
	await(t, "the connection", func() bool { return session.Status().Connected })
	s.clip(t, 1000)
	s.drained(t)
	s.wantStored(t, 1)
}
