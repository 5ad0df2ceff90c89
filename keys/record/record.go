// SPDX-License-Identifier: Apache-2.0

// Package record makes and checks what a camera signs: that a clip was recorded, that something was lost, or what
// happened to the camera itself. Each record holds the hash of the one before, so that together they form a chain in which
// nothing can be changed, left out or put in unseen. Start with [Sign] and [Verify] for one record, and [NewChain] for all of a camera's.
//
// A record is a JWS in compact form (RFC 7515) with EdDSA over Ed25519 (RFC 8037) and a payload in canonical JSON (RFC 8785,
// limited to strings and integers). It covers the hash of the sealed clip, so anyone can check it who cannot open the clip.
// The form is stable: what is added comes with a new version, and a record has the first version that knew its kind.
package record

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	Version      = 1        // of clips and losses, receipts and tombstones
	EventVersion = 2        // of events: a program that knows version 1 only refuses them and nothing else
	MaxSize      = 16 << 10 // bytes of a compact JWS, record or receipt
)

var (
	ErrSignature = errors.New("signature does not verify")
	ErrMalformed = errors.New("malformed statement")
)

// Kind says what a record is about.
type Kind string

const (
	KindClip  Kind = "clip"
	KindLoss  Kind = "loss"
	KindEvent Kind = "event" // since EventVersion
)

// Reasons of a loss.
const (
	Interrupted = "interrupted" // the agent ended while it recorded
	Overflow    = "overflow"    // the encoder fell behind and frames were dropped
	Encoder     = "encoder"     // the encoder failed
	Storage     = "storage"     // the clip could not be written
	Evicted     = "evicted"     // the spool was full, or the clip too old; its body was removed before the hub had it
	Damaged     = "damaged"     // the clip, or a record, could not be read from the spool any more
	StoreLost   = "store-lost"  // the spool was lost as a whole, with any number of clips and records
	Stall       = "stall"       // the camera gave no frames
	Private     = "privacy"     // the sensor was closed by somebody's wish; whose, the events beside it say
)

// Record is one link of a camera's chain.
type Record struct {
	Version int       `json:"v"`
	Device  string    `json:"device"`
	Seq     uint64    `json:"seq"`  // from 1, without a gap
	Prev    string    `json:"prev"` // hex SHA-256 of the previous record's compact JWS; zeros in the first
	Kind    Kind      `json:"kind"`
	Boot    string    `json:"boot"` // changes with each start of the board
	Time    time.Time `json:"time"` // UTC, whole milliseconds
	Quality string    `json:"quality"`
	Clip    *Clip     `json:"clip,omitempty"`
	Loss    *Loss     `json:"loss,omitempty"`
	Event   *Event    `json:"event,omitempty"`
}

// Clip is what anyone may know of a sealed clip.
type Clip struct {
	ID         string    `json:"id"`      // 32 lower-case hex digits, random
	Start      time.Time `json:"start"`   // of the first frame, UTC, whole milliseconds
	Quality    string    `json:"quality"` // of Start
	DurationUS int64     `json:"duration_us"`
	PreRollUS  int64     `json:"pre_roll_us"` // achieved: from the first frame to the first sign of motion
	Frames     int       `json:"frames"`
	Dropped    int       `json:"dropped"`             // frames that are missing in it
	Continues  string    `json:"continues,omitempty"` // id of the clip that this one goes on from without a gap
	Body       Part      `json:"body"`                // the sealed film
	Details    Part      `json:"details"`             // the sealed details
}

// Part is one sealed file of a clip.
type Part struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hex, of the ciphertext
}

// Loss declares what is missing, and why.
type Loss struct {
	Reason string    `json:"reason"`
	Clip   string    `json:"clip,omitempty"` // the clip concerned, if any
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Frames int       `json:"frames"` // how many, 0 if unknown
}

// Sign encodes and signs a record. It refuses one that Verify would refuse.
func Sign(key ed25519.PrivateKey, r Record) ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("sign record %d: %w", r.Seq, err)
	}
	payload, err := canonical(r)
	if err != nil {
		return nil, fmt.Errorf("sign record %d: %w", r.Seq, err)
	}
	jws := sign(key, recordHeader, payload)
	if len(jws) > MaxSize {
		return nil, fmt.Errorf("sign record %d: %d bytes, more than %d", r.Seq, len(jws), MaxSize)
	}
	return jws, nil
}

// Verify checks the signature and the form of a record: [ErrSignature], [ErrMalformed], or a record to rely on.
func Verify(pub ed25519.PublicKey, jws []byte) (Record, error) {
	var r Record
	payload, err := verify(pub, recordHeader, jws)
	if err == nil {
		err = tooNew(payload)
	}
	if err == nil {
		err = decode(payload, &r)
	}
	if err == nil {
		err = r.validate()
	}
	if err != nil {
		return Record{}, fmt.Errorf("verify record: %w", err)
	}
	return r, nil
}

// Hash identifies a record; the next one holds it.
func Hash(jws []byte) [32]byte { return sha256.Sum256(jws) }

func (r Record) validate() error {
	switch {
	case r.Version != r.Kind.version():
		return fmt.Errorf("%w: version %d of kind %q", ErrMalformed, r.Version, r.Kind)
	case r.Device == "":
		return fmt.Errorf("%w: no device", ErrMalformed)
	case r.Seq == 0 || r.Seq > maxInteger:
		return fmt.Errorf("%w: sequence number %d", ErrMalformed, r.Seq)
	case !isHex(r.Prev, 32):
		return fmt.Errorf("%w: prev is not a SHA-256", ErrMalformed)
	case r.Seq == 1 && r.Prev != strings.Repeat("0", 64):
		return fmt.Errorf("%w: first record with a predecessor", ErrMalformed)
	case !isTime(r.Time):
		return fmt.Errorf("%w: time is not UTC in whole milliseconds", ErrMalformed)
	case r.Kind == KindClip && r.Clip != nil && r.Loss == nil && r.Event == nil:
		return r.Clip.validate()
	case r.Kind == KindLoss && r.Loss != nil && r.Clip == nil && r.Event == nil:
		return r.Loss.validate()
	case r.Kind == KindEvent && r.Event != nil && r.Clip == nil && r.Loss == nil:
		return r.Event.validate()
	}
	return fmt.Errorf("%w: kind %q does not fit its content", ErrMalformed, r.Kind)
}

func (c Clip) validate() error {
	switch {
	case !isHex(c.ID, 16) || c.Continues != "" && !isHex(c.Continues, 16):
		return fmt.Errorf("%w: clip id", ErrMalformed)
	case !isTime(c.Start):
		return fmt.Errorf("%w: clip start is not UTC in whole milliseconds", ErrMalformed)
	case !areCounts(c.DurationUS, c.PreRollUS, int64(c.Frames), int64(c.Dropped), c.Body.Size, c.Details.Size):
		return fmt.Errorf("%w: number out of range", ErrMalformed)
	case !isHex(c.Body.SHA256, 32) || !isHex(c.Details.SHA256, 32):
		return fmt.Errorf("%w: hash of a part is not a SHA-256", ErrMalformed)
	}
	return nil
}

func (l Loss) validate() error {
	switch {
	case l.Reason == "":
		return fmt.Errorf("%w: loss without a reason", ErrMalformed)
	case l.Clip != "" && !isHex(l.Clip, 16):
		return fmt.Errorf("%w: clip id", ErrMalformed)
	case !isTime(l.From) || !isTime(l.To) || !areCounts(int64(l.Frames)):
		return fmt.Errorf("%w: span of the loss", ErrMalformed)
	}
	return nil
}

// maxInteger is the largest integer that every JSON reader keeps exactly (RFC 7493, 2.2); RFC 8785 has no others.
const maxInteger = 1<<53 - 1

func areCounts(numbers ...int64) bool {
	return !slices.ContainsFunc(numbers, func(n int64) bool { return n < 0 || n > maxInteger })
}

// isHex tells whether s is n bytes in lower-case hex.
func isHex(s string, n int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == n && strings.ToLower(s) == s
}

// isTime tells whether t has one encoding only: UTC, whole milliseconds, four digits of year.
func isTime(t time.Time) bool {
	return t.Location() == time.UTC && t.Nanosecond()%int(time.Millisecond) == 0 && t.Year() >= 1970 && t.Year() <= 9999
}
