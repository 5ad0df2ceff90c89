// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Token admits one device, once. It tells the device which CA to trust, so the first connection is authenticated both ways.
type Token struct {
	Secret [16]byte
	CA     [32]byte // SHA-256 of the hub's CA certificate, DER
}

const (
	tokenPrefix = "njt1"
	tokenBytes  = 16 + 32 + 4 // secret, CA, checksum
)

// ErrTokenTypo is returned for a text that is no token, or one with a mistyped character.
var ErrTokenTypo = errors.New("this is not a whole token: copy it again, from njt1 to its end")

// Lower case: a token is dictated over the telephone more often than scanned.
var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String returns the token as one word: the prefix and base32 of secret, CA and a checksum that tells a typo from a refusal.
func (t Token) String() string {
	b := append(t.Secret[:], t.CA[:]...)
	return tokenPrefix + tokenEncoding.EncodeToString(append(b, checksum(b)...))
}

// Format, LogValue and MarshalText keep the secret out of logs: only String, called by name, shows a token to the one it is for.
func (t Token) Format(f fmt.State, _ rune)   { io.WriteString(f, hiddenToken) }
func (t Token) LogValue() slog.Value         { return slog.StringValue(hiddenToken) }
func (t Token) MarshalText() ([]byte, error) { return []byte(hiddenToken), nil }

const hiddenToken = "enrolment token"

// ParseToken reads a token, in either case. The error is [ErrTokenTypo].
func ParseToken(word string) (Token, error) {
	var t Token
	word = strings.TrimSpace(word)
	if len(word) != len(tokenPrefix)+tokenEncoding.EncodedLen(tokenBytes) { // before ToLower, which makes a longer copy of noise
		return t, ErrTokenTypo
	}
	text, ok := strings.CutPrefix(strings.ToLower(word), tokenPrefix)
	if !ok || len(text) != tokenEncoding.EncodedLen(tokenBytes) {
		return t, ErrTokenTypo
	}
	b, err := tokenEncoding.DecodeString(text)
	if err != nil || !bytes.Equal(b[48:], checksum(b[:48])) || tokenEncoding.EncodeToString(b) != text {
		return t, ErrTokenTypo
	}
	copy(t.Secret[:], b)
	copy(t.CA[:], b[16:])
	return t, nil
}

func checksum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte(tokenPrefix), b...))
	return sum[:4]
}
