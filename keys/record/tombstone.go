// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/ed25519"
	"fmt"
	"time"
)

const tombstoneHeader = `{"alg":"EdDSA","typ":"nightjar-tombstone+jws"}`

// Reasons of a tombstone.
const (
	Aged      = "age"   // older than the hub keeps clips
	Displaced = "space" // the oldest, to make room
	ByOwner   = "owner" // somebody removed it by hand
)

// Tombstone is the hub's statement that it had a clip and removed it, and why. The clip's record stays.
type Tombstone struct {
	Version int       `json:"v"`
	Device  string    `json:"device"`
	Seq     uint64    `json:"seq"`
	Record  string    `json:"record"` // hex SHA-256 of the record's compact JWS
	Clip    string    `json:"clip"`   // id
	Removed time.Time `json:"removed"`
	Reason  string    `json:"reason"`
}

// SignTombstone encodes and signs a tombstone with the hub's receipt key.
func SignTombstone(key ed25519.PrivateKey, s Tombstone) ([]byte, error) {
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("sign tombstone %d: %w", s.Seq, err)
	}
	payload, err := canonical(s)
	if err != nil {
		return nil, fmt.Errorf("sign tombstone %d: %w", s.Seq, err)
	}
	jws := sign(key, tombstoneHeader, payload)
	if len(jws) > MaxSize {
		return nil, fmt.Errorf("sign tombstone %d: %d bytes, more than %d", s.Seq, len(jws), MaxSize)
	}
	return jws, nil
}

// VerifyTombstone checks signature and form. The caller compares device, sequence number, record hash and clip.
func VerifyTombstone(pub ed25519.PublicKey, jws []byte) (Tombstone, error) {
	var s Tombstone
	payload, err := verify(pub, tombstoneHeader, jws)
	if err == nil {
		err = decode(payload, &s)
	}
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		return Tombstone{}, fmt.Errorf("verify tombstone: %w", err)
	}
	return s, nil
}

func (s Tombstone) validate() error {
	switch {
	case s.Version != Version:
		return fmt.Errorf("%w: version %d, this program knows %d", ErrMalformed, s.Version, Version)
	case s.Device == "" || s.Seq == 0 || s.Seq > maxInteger:
		return fmt.Errorf("%w: no device, or sequence number out of range", ErrMalformed)
	case !isHex(s.Record, 32) || !isHex(s.Clip, 16):
		return fmt.Errorf("%w: record hash or clip id", ErrMalformed)
	case !isTime(s.Removed):
		return fmt.Errorf("%w: time is not UTC in whole milliseconds", ErrMalformed)
	case s.Reason == "":
		return fmt.Errorf("%w: no reason", ErrMalformed)
	}
	return nil
}
