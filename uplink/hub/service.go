// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/presence"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A service is what the hub does with a device's message, whichever broker carries it: its own, or an external one. The broker
// vouches for the device's name. Its methods may be called from any goroutine.
type service struct {
	ingest *ingest
	roster *presence.Roster
	tally  *tally
	greet  *greeter
	orders *orders
	tell   func(device string, kind wire.Kind, payload []byte) bool // false when it cannot be told
}

// take takes a message of a device and answers it.
func (s *service) take(device, topic string, payload []byte) *refusal {
	if r := s.revoked(device); r != nil {
		return r
	}
	_, kind, err := wire.ParseTopic(topic)
	if err != nil {
		return refuse(RefusedMessage, "%s: %w", topic, err)
	}
	var replies []reply
	began := time.Now()
	s.roster.Hold(device)
	if kind == wire.UpResult {
		err = s.orders.take(device, payload)
	} else {
		replies, err = s.ingest.take(device, kind, payload)
	}
	s.roster.Release(device, time.Now())
	if kind == wire.UpOffer || kind == wire.UpChunk {
		s.tally.took(replies, time.Since(began))
	}
	if err != nil {
		return refuse(RefusedMessage, "%s: %w", topic, err)
	}
	for _, r := range replies {
		s.tell(device, r.kind, r.payload)
	}
	if kind == wire.UpStatus {
		s.greet.welcome(device)
	}
	return nil
}

// revoked returns the refusal of a device that is revoked by now. It is asked for each message, so that
// none is taken between the revocation and the sweep that ends the session.
func (s *service) revoked(device string) *refusal {
	return revocation(s.ingest.store.Archive(), device)
}

func revocation(a *archive.Archive, device string) *refusal {
	r, yes := a.Revoked(device)
	if !yes {
		return nil
	}
	return refuse(RefusedRevoked, "device %s is revoked since %s: %q", device, r.At.Format(time.RFC3339), r.Reason)
}
