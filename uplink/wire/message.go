// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Largest messages, in bytes.
const (
	MaxOffer   = 24 << 10
	MaxReceipt = 8 << 10
	MaxSmall   = 4 << 10 // have, refuse, status
	maxText    = 512     // of a refusal's message
	maxWord    = 128     // of a status's words
	maxHold    = 32      // of an offer's
	maxRecord  = 16 << 10
)

const version = 1

// Offer holds a record and asks the hub to store it together with the clip it speaks of.
type Offer struct {
	Version int    `json:"v"`
	Record  string `json:"record"`            // compact JWS
	Evicted bool   `json:"evicted,omitempty"` // the camera no longer has the clip; a later record declares it lost

	// Hold says why the clip itself does not follow its record and details at once: a word of package policy, at most
	// maxHold of a-z and 0-9. Empty when it follows as soon as the link lets it.
	Hold string `json:"hold,omitempty"`
}

// Have says how much of a clip the hub holds; the camera goes on from there. The counts are bytes without a hole.
type Have struct {
	Version int    `json:"v"`
	Seq     uint64 `json:"seq"`
	Clip    string `json:"clip"`
	Body    int64  `json:"body"`
	Details int64  `json:"details"`
}

// Code is the reason of a refusal.
type Code string

const (
	CodeMalformed Code = "malformed" // the record does not verify
	CodeFork      Code = "fork"      // the hub has another record of this number
	CodeSize      Code = "size"      // the clip is larger than the hub takes
	CodeHash      Code = "hash"      // what arrived is not what the record says; it was thrown away
	CodeStorage   Code = "storage"   // the hub cannot store now; try later
)

// Refuse says why the hub does not store a record. The camera keeps it.
type Refuse struct {
	Version int    `json:"v"`
	Seq     uint64 `json:"seq"`
	Clip    string `json:"clip,omitempty"`
	Code    Code   `json:"code"`
	Message string `json:"message"` // for a person
}

// State is a camera's presence.
type State string

const (
	Online  State = "online"
	Offline State = "offline"
)

// Status is a camera's own account of itself.
type Status struct {
	Version int    `json:"v"`
	State   State  `json:"state"`
	Release string `json:"release"`
	Boot    string `json:"boot"`
	Entries int    `json:"entries"` // records that wait in the spool
	Bytes   int64  `json:"bytes"`   // and their size
}

// Marshal encodes the offer.
func (m Offer) Marshal() ([]byte, error) {
	m.Version = version
	return encode(m, m.valid(), MaxOffer)
}

// Marshal encodes the message.
func (m Have) Marshal() ([]byte, error) {
	m.Version = version
	return encode(m, m.valid(), MaxSmall)
}

// Marshal encodes the message; a message text that is too long is cut.
func (m Refuse) Marshal() ([]byte, error) {
	m.Version = version
	m.Message = cut(m.Message)
	return encode(m, m.valid(), MaxSmall)
}

// Marshal encodes the message.
func (m Status) Marshal() ([]byte, error) {
	m.Version = version
	return encode(m, m.valid(), MaxSmall)
}

// ParseOffer decodes an offer. The record in it is not verified.
func ParseOffer(b []byte) (m Offer, err error) {
	err = decode("offer", b, MaxOffer, &m, func() error { return m.valid() })
	return m, err
}

// ParseHave decodes a have message.
func ParseHave(b []byte) (m Have, err error) {
	err = decode("have", b, MaxSmall, &m, func() error { return m.valid() })
	return m, err
}

// ParseRefuse decodes a refusal. Unknown codes are kept: a later hub may have more reasons.
func ParseRefuse(b []byte) (m Refuse, err error) {
	err = decode("refuse", b, MaxSmall, &m, func() error { return m.valid() })
	return m, err
}

// ParseStatus decodes a status.
func ParseStatus(b []byte) (m Status, err error) {
	err = decode("status", b, MaxSmall, &m, func() error { return m.valid() })
	return m, err
}

func (m Offer) valid() error {
	if m.Version != version || m.Record == "" || len(m.Record) > maxRecord || strings.ContainsFunc(m.Record, notJWS) {
		return errors.New("wrong version, or not a record")
	}
	if len(m.Hold) > maxHold || strings.ContainsFunc(m.Hold, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }) {
		return errors.New("what holds the clip is no word")
	}
	return nil
}

func (m Have) valid() error {
	if m.Version != version || m.Seq == 0 || !validClip(m.Clip) || m.Body < 0 || m.Details < 0 {
		return errors.New("wrong version, record, clip or count")
	}
	return nil
}

func (m Refuse) valid() error {
	if m.Version != version || m.Clip != "" && !validClip(m.Clip) || m.Code == "" || len(m.Code) > 32 || len(m.Message) > maxText {
		return errors.New("wrong version, clip, code or text")
	}
	return nil
}

func (m Status) valid() error {
	if m.Version != version || m.State != Online && m.State != Offline || len(m.Release) > maxWord || len(m.Boot) > maxWord || m.Entries < 0 || m.Bytes < 0 {
		return errors.New("wrong version, state, text or count")
	}
	return nil
}

// validClip tells whether id is 16 bytes in lower-case hex.
func validClip(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 16 && strings.ToLower(id) == id
}

// notJWS tells whether c never stands in a compact JWS (RFC 7515, 3.1).
func notJWS(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// cut makes s fit maxText as the reader counts it: JSON would turn each invalid byte into three.
func cut(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func encode(m any, invalid error, most int) ([]byte, error) {
	if invalid != nil {
		return nil, fmt.Errorf("encode %T: %w", m, invalid)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", m, err)
	}
	if len(b) > most {
		return nil, fmt.Errorf("encode %T: %d bytes, more than %d", m, len(b), most)
	}
	return b, nil
}

// decode fills m from one JSON object without unknown fields, and from nothing else.
func decode(name string, b []byte, most int, m any, valid func() error) error {
	if len(b) > most {
		return fmt.Errorf("decode %s: %d bytes, more than %d", name, len(b), most)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := dec.Decode(m)
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("data behind the message")
		}
	}
	if err == nil {
		err = valid()
	}
	if err != nil {
		return fmt.Errorf("decode %s: %w", name, err)
	}
	return nil
}
