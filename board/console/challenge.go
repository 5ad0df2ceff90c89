// SPDX-License-Identifier: Apache-2.0

package console

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// The lines around a challenge: all from the one to the other is signed.
const (
	ChallengeBegin = "-----BEGIN NIGHTJAR LOGIN-----"
	ChallengeEnd   = "-----END NIGHTJAR LOGIN-----"
)

// answerWithin is how long a challenge can be answered, by a clock that nobody can set.
const answerWithin = 2 * time.Minute

// A challenge is signed by who logs in. It is good for one answer.
type challenge struct {
	text string
	made time.Time // its monotonic reading counts
}

// newChallenge makes one for the console at the named port.
func newChallenge(f Facts, console string, now time.Time) challenge {
	var nonce [32]byte
	rand.Read(nonce[:]) // never fails
	device := f.Device
	if device == "" {
		device = "(none yet)"
	}
	lines := []string{
		ChallengeBegin,
		"version 1",
		"device " + device,
		"boot " + f.Boot,
		"console " + console,
		"time " + f.Time,
		"nonce " + base64.RawURLEncoding.EncodeToString(nonce[:]),
		ChallengeEnd,
	}
	return challenge{strings.Join(lines, "\n") + "\n", now}
}

func (c challenge) expired(now time.Time) bool { return now.Sub(c.made) > answerWithin }
