// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"
)

// Receipt is the hub's statement that it has a record, and the clip it speaks of, on stable storage. Only a
// receipt lets a camera forget a clip.
type Receipt struct {
	Version int       `json:"v"`
	Device  string    `json:"device"`
	Seq     uint64    `json:"seq"`
	Record  string    `json:"record"`         // hex SHA-256 of the record's compact JWS
	Clip    string    `json:"clip,omitempty"` // id
	Stored  time.Time `json:"stored"`
}

// SignReceipt encodes and signs a receipt with the hub's receipt key.
func SignReceipt(key ed25519.PrivateKey, r Receipt) ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("sign receipt %d: %w", r.Seq, err)
	}
	payload, err := canonical(r)
	if err != nil {
		return nil, fmt.Errorf("sign receipt %d: %w", r.Seq, err)
	}
	jws := sign(key, receiptHeader, payload)
	if len(jws) > MaxSize {
		return nil, fmt.Errorf("sign receipt %d: %d bytes, more than %d", r.Seq, len(jws), MaxSize)
	}
	return jws, nil
}

// VerifyReceipt checks signature and form. The caller compares device, sequence number and record hash.
func VerifyReceipt(pub ed25519.PublicKey, jws []byte) (Receipt, error) {
	var r Receipt
	payload, err := verify(pub, receiptHeader, jws)
	if err == nil {
		err = decode(payload, &r)
	}
	if err == nil {
		err = r.validate()
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("verify receipt: %w", err)
	}
	return r, nil
}

// VerifyReceiptAny is VerifyReceipt with several keys: the hub's, and the one that will follow it.
func VerifyReceiptAny(pubs []ed25519.PublicKey, jws []byte) (Receipt, error) {
	err := errors.New("verify receipt: no key")
	for _, pub := range pubs {
		var r Receipt
		if r, err = VerifyReceipt(pub, jws); !errors.Is(err, ErrSignature) {
			return r, err
		}
	}
	return Receipt{}, err
}

func (r Receipt) validate() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("%w: version %d, this program knows %d", ErrMalformed, r.Version, Version)
	case r.Device == "" || r.Seq == 0 || r.Seq > maxInteger:
		return fmt.Errorf("%w: no device, or sequence number out of range", ErrMalformed)
	case !isHex(r.Record, 32) || r.Clip != "" && !isHex(r.Clip, 16):
		return fmt.Errorf("%w: record hash or clip id", ErrMalformed)
	case !isTime(r.Stored):
		return fmt.Errorf("%w: time is not UTC in whole milliseconds", ErrMalformed)
	}
	return nil
}
