// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The protected headers of records and receipts; a tombstone has its own. They are compared byte by byte: there is one way to write each, so a record
// never verifies as a receipt and no other algorithm can be asked for (RFC 8725, 3.1).
const (
	recordHeader  = `{"alg":"EdDSA","typ":"nightjar-record+jws"}`
	receiptHeader = `{"alg":"EdDSA","typ":"nightjar-receipt+jws"}`
)

var b64 = base64.RawURLEncoding.Strict()

// sign makes a compact JWS (RFC 7515, 3.1) with EdDSA over Ed25519 (RFC 8037, 3.1).
func sign(key ed25519.PrivateKey, header string, payload []byte) []byte {
	out := b64.AppendEncode(nil, []byte(header))
	out = append(out, '.')
	out = b64.AppendEncode(out, payload)
	signature := ed25519.Sign(key, out)
	out = append(out, '.')
	return b64.AppendEncode(out, signature)
}

// verify returns the payload of a compact JWS with exactly the given header.
func verify(pub ed25519.PublicKey, header string, jws []byte) ([]byte, error) {
	if len(pub) != ed25519.PublicKeySize {
		return nil, errors.New("no Ed25519 public key")
	}
	parts, err := split(header, jws)
	if err != nil {
		return nil, err
	}
	signature, err := b64.AppendDecode(nil, parts[2])
	if err != nil {
		return nil, fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if !ed25519.Verify(pub, jws[:len(parts[0])+1+len(parts[1])], signature) {
		return nil, ErrSignature
	}
	return payload(parts)
}

// unverified is verify without a key.
func unverified(header string, jws []byte) ([]byte, error) {
	parts, err := split(header, jws)
	if err != nil {
		return nil, err
	}
	return payload(parts)
}

func payload(parts [][]byte) ([]byte, error) {
	b, err := b64.AppendDecode(nil, parts[1])
	if err != nil {
		return nil, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	return b, nil
}

// split returns header, payload and signature as they are written.
func split(header string, jws []byte) ([][]byte, error) {
	if len(jws) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, len(jws), MaxSize)
	}
	if bytes.ContainsAny(jws, "\r\n") { // base64 skips them, which would give one signature many spellings
		return nil, fmt.Errorf("%w: line break", ErrMalformed)
	}
	parts := bytes.Split(jws, []byte("."))
	if len(parts) != 3 {
		return nil, fmt.Errorf("%w: %d parts instead of 3", ErrMalformed, len(parts))
	}
	if string(parts[0]) != b64.EncodeToString([]byte(header)) {
		return nil, fmt.Errorf("%w: another header than %s", ErrMalformed, header)
	}
	return parts, nil
}

// literal undoes the two escapes that encoding/json makes beyond RFC 8785, 3.2.2.2. The first pair steps over an escaped backslash.
var literal = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")

// canonical encodes v with sorted keys, no white space and no escapes but the needed ones: RFC 8785 for the strings and
// integers that statements are made of.
func canonical(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	// Decoding into maps and encoding again is what sorts the keys; UseNumber keeps integers as they are written.
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, err
	}
	return []byte(literal.Replace(strings.TrimSuffix(out.String(), "\n"))), nil
}

// decode reads a canonical payload into v and refuses any other encoding of it, unknown fields included.
func decode(payload []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	again, err := canonical(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, payload) {
		return fmt.Errorf("%w: not in canonical form", ErrMalformed)
	}
	return nil
}
