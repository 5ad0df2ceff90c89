// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// What tests reckon with.
const (
	ChunkBytes = mostChunk
	MostFlight = mostFlight
)

// Accept checks a receipt.
type Accept = func(keys.Credential, spool.Entry, []byte) error

// VerifyReceipt is the real one.
var VerifyReceipt Accept = verifyReceipt

// SetAccept replaces the check of receipts.
func (s *Session) SetAccept(a Accept) { s.accept = a }

// Hurry shortens all waiting.
func (s *Session) Hurry() {
	s.pace = pace{
		firstRetry: 5 * time.Millisecond, lastRetry: 20 * time.Millisecond,
		firstHold: 5 * time.Millisecond, lastHold: 20 * time.Millisecond,
		quarantine: 20 * time.Millisecond, patience: 50 * time.Millisecond,
		lively: usual.lively, sluggish: usual.sluggish,
	}
	s.backoff.pace = s.pace
}
