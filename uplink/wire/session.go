// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Largest messages, in bytes.
const (
	MaxCommand = 16 << 10
	MaxResult  = 16 << 10
	MaxData    = 8 << 10 // of a result
)

// MaxSpread bounds [Welcome.Spread].
const MaxSpread = 5 * time.Minute

// Welcome is what the hub says of itself. It is not signed: whoever could change it has broken TLS.
type Welcome struct {
	Version int       `json:"v"`
	Time    time.Time `json:"time"` // the hub's clock, UTC in whole milliseconds
	// Spread is over how many seconds this hub's cameras are to spread when all of them come back at once. 0: there are few.
	Spread int `json:"spread,omitempty"`
}

// Result answers a command.
type Result struct {
	Version int             `json:"v"`
	Signer  string          `json:"signer"` // the role of the command's signer
	Seq     uint64          `json:"seq"`    // of the command; each signer counts for itself
	OK      bool            `json:"ok"`
	Message string          `json:"message"`        // for a person
	Data    json.RawMessage `json:"data,omitempty"` // a command's answer: one JSON value of at most [MaxData] bytes
}

// Marshal encodes the message.
func (m Welcome) Marshal() ([]byte, error) {
	m.Version = version
	return encode(m, m.valid(), MaxSmall)
}

// Marshal encodes the message; a message text that is too long is cut.
func (m Result) Marshal() ([]byte, error) {
	m.Version = version
	m.Message = cut(m.Message)
	if m.Data != nil {
		one, err := json.Marshal(m.Data)
		if err != nil {
			return nil, fmt.Errorf("encode %T: data: %w", m, err)
		}
		m.Data = one
	}
	return encode(m, m.valid(), MaxResult)
}

// ParseWelcome decodes a welcome.
func ParseWelcome(b []byte) (m Welcome, err error) {
	err = decode("welcome", b, MaxSmall, &m, func() error { return m.valid() })
	return m, err
}

// ParseResult decodes a result.
func ParseResult(b []byte) (m Result, err error) {
	err = decode("result", b, MaxResult, &m, func() error { return m.valid() })
	return m, err
}

func (m Welcome) valid() error {
	_, offset := m.Time.Zone()
	if m.Version != version || offset != 0 || m.Time.Year() < 1970 || m.Time.Year() > 9999 || m.Time.Nanosecond()%int(time.Millisecond) != 0 {
		return errors.New("wrong version or time")
	}
	if m.Spread < 0 || m.Spread > int(MaxSpread/time.Second) {
		return errors.New("spread is out of range")
	}
	return nil
}

func (m Result) valid() error {
	if m.Version != version || m.Signer == "" || len(m.Signer) > 32 || m.Seq == 0 || len(m.Message) > maxText || len(m.Data) > MaxData {
		return errors.New("wrong version, signer, number or text")
	}
	// Data is passed on as it is. Only the spelling that our encoder gives it can be written again within the same bounds.
	if one, err := json.Marshal(m.Data); m.Data != nil && (err != nil || !bytes.Equal(one, m.Data)) {
		return errors.New("data is not as it is encoded here")
	}
	return nil
}
