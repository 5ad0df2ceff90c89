// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/nightjar-cam/nightjar/keys"
)

const (
	version    = 1
	maxMessage = 64 << 10
	maxAddr    = 300 // bytes of a host:port
	// proofPrefix keeps a proof from being taken for another signature of the same key.
	proofPrefix = "nightjar-enroll-v1\x00"
)

// Request asks for a certificate.
type Request struct {
	Version  int    `json:"v"`
	Secret   []byte `json:"secret"`   // the token's
	CSR      []byte `json:"csr"`      // PKCS #10 DER, ECDSA P-256: the operational key
	Identity []byte `json:"identity"` // Ed25519 public key
	Proof    []byte `json:"proof"`    // that the device holds it: a signature over secret and CSR
}

// Format and LogValue keep the token's secret out of logs: they name the identity that asks.
func (r Request) Format(f fmt.State, _ rune) { io.WriteString(f, r.name()) }
func (r Request) LogValue() slog.Value       { return slog.StringValue(r.name()) }
func (r Request) name() string               { return "enrolment request of " + keys.Fingerprint(r.Identity) }

// proofText is what the identity signs: the CSR together with the token it is for.
func proofText(secret, csr []byte) []byte {
	sum := sha256.Sum256(secret)
	return append(append([]byte(proofPrefix), sum[:]...), csr...)
}

// Verify checks the form of a request and the proof of the identity; the CSR is the issuer's to check. The error wraps
// [ErrBadRequest].
func (r Request) Verify() error {
	switch {
	case r.Version != version:
		return fmt.Errorf("%w: version %d, this hub knows %d", ErrBadRequest, r.Version, version)
	case len(r.Secret) != 16:
		return fmt.Errorf("%w: secret of %d bytes", ErrBadRequest, len(r.Secret))
	case len(r.Identity) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: identity of %d bytes", ErrBadRequest, len(r.Identity))
	case !ed25519.Verify(r.Identity, proofText(r.Secret, r.CSR), r.Proof):
		return fmt.Errorf("%w: the identity's proof does not verify", ErrBadRequest)
	}
	return nil
}

// Response is a certificate, or the code of a refusal.
type Response struct {
	Version     int    `json:"v"`
	Device      string `json:"device,omitempty"`
	Certificate []byte `json:"certificate,omitempty"` // DER
	CA          []byte `json:"ca,omitempty"`          // DER
	ReceiptKey  []byte `json:"receipt_key,omitempty"` // Ed25519 public key
	Code        string `json:"code,omitempty"`
	MQTT        string `json:"mqtt,omitempty"` // host:port of a broker before the hub; empty: the hub speaks MQTT itself

	// What takes over at the hub's next rotation, which the device trusts from now on. Empty: the hub has no spare.
	NextCA         []byte `json:"next_ca,omitempty"`          // DER
	NextReceiptKey []byte `json:"next_receipt_key,omitempty"` // Ed25519 public key
}

// Refusals. Serve sends their codes and Enroll gives them back.
var (
	ErrTokenUnknown  = errors.New("the hub does not know this token: is it of another hub? Make one with `nightjar-hub token`")
	ErrTokenUsed     = errors.New("this token was used before, and a token works once: make a new one with `nightjar-hub token`")
	ErrTokenExpired  = errors.New("this token has expired: make a new one with `nightjar-hub token`")
	ErrOtherIdentity = errors.New("the hub knows another camera by this name: make a token for a new name, or remove the old camera")
	ErrUnknownDevice = errors.New("the hub does not know this camera, or knows another by its name: enrol it with a token from `nightjar-hub token`")
	ErrRevoked       = errors.New("the hub's owner has revoked this camera: to let it in again, let `nightjar-hub revoke --undo` take that back")
	ErrBadRequest    = errors.New("the hub does not understand this camera's request: are both of the same release?")
	ErrHub           = errors.New("the hub failed: see its log")
)

// refusals are the codes on the wire; they never change.
var refusals = []struct {
	code string
	err  error
}{
	{"token-unknown", ErrTokenUnknown},
	{"token-used", ErrTokenUsed},
	{"token-expired", ErrTokenExpired},
	{"other-identity", ErrOtherIdentity},
	{"unknown-device", ErrUnknownDevice},
	{"revoked", ErrRevoked},
	{"bad-request", ErrBadRequest},
	{"hub-failed", ErrHub},
}

func codeOf(err error) string {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return "hub-failed"
}

func refusal(code string) error {
	for _, r := range refusals {
		if r.code == code {
			return r.err
		}
	}
	return fmt.Errorf("the hub refused with the unknown code %.40q: update this program", code)
}

// write sends one message: its length in four bytes, big-endian, then JSON.
func write(w io.Writer, message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(b) > maxMessage {
		return fmt.Errorf("message of %d bytes, more than %d", len(b), maxMessage)
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

// read receives one message. The length is bounded before anything is allocated for it.
func read(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return fmt.Errorf("message of %d bytes, more than %d", n, maxMessage)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(message); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data behind the message")
	}
	return nil
}
