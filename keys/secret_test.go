// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
)

func newIdentity(t *testing.T) keys.Identity {
	t.Helper()
	identity, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// printed returns v by every way that a log or a debugging line takes.
func printed(t *testing.T, v any) string {
	t.Helper()
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%b", "%o", "%c", "%U"} {
		fmt.Fprintf(&out, format+"\n", v)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("test", "value", v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out.String() + string(text)
}

// spellings are the ways in which secret bytes could show; a part of them is enough.
func spellings(secret []byte) []string {
	part := secret[3:12] // three whole base64 groups
	hexed := hex.EncodeToString(part)
	decimals := strings.Trim(fmt.Sprint(part), "[]")
	return []string{
		base64.StdEncoding.EncodeToString(part), base64.URLEncoding.EncodeToString(part), hexed, strings.ToUpper(hexed),
		decimals, strings.ReplaceAll(decimals, " ", ","), strings.ReplaceAll(decimals, " ", ", "),
		strings.ReplaceAll(fmt.Sprintf("%#v", part)[7:], "}", ""), new(big.Int).SetBytes(secret).String(), string(part),
	}
}

func leak(t *testing.T, v any, secret []byte) string {
	t.Helper()
	text := printed(t, v)
	for _, s := range spellings(secret) {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

func TestSecretsAreNotPrinted(t *testing.T) {
	identity, credential := newIdentity(t), newHub(t).credential(t)
	seed := identity.Key().Seed()
	scalar, err := credential.TLS.PrivateKey.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	type hidden struct{ v keys.Identity } // fmt calls no method of what it finds here
	for _, test := range []struct {
		name   string
		v      any
		secret []byte
	}{
		{"identity", identity, seed},
		{"pointer to identity", &identity, seed},
		{"identity in a struct", struct{ Identity keys.Identity }{identity}, seed},
		{"identity in an unexported field", hidden{identity}, seed},
		{"identities", []keys.Identity{identity}, seed},
		{"credential", credential, scalar},
		{"pointer to credential", &credential, scalar},
		{"credential in a struct", struct{ Credential keys.Credential }{credential}, scalar},
	} {
		if s := leak(t, test.v, test.secret); s != "" {
			t.Errorf("%s: shows the private key as %q", test.name, s)
		}
	}
	// The search finds a key where one is shown.
	if leak(t, struct{ Key []byte }{seed}, seed) == "" || leak(t, hexed(seed), seed) == "" {
		t.Error("a printed private key was not found")
	}
}

type hexed []byte

func (h hexed) String() string { return hex.EncodeToString(h) }

func TestWhatIsPrintedInstead(t *testing.T) {
	identity := newIdentity(t)
	name := "identity " + keys.Fingerprint(identity.Public())
	for _, v := range []any{identity, &identity, identity.LogValue()} {
		if got := fmt.Sprintf("%v", v); got != name {
			t.Errorf("%T prints as %q, want %q", v, got, name)
		}
	}
	if got := fmt.Sprint(keys.Identity{}); got != "no identity" {
		t.Errorf("zero value prints as %q", got)
	}
	if got := fmt.Sprintf("%#v", newHub(t).credential(t)); got != "credential of front-door for hub.local:8883" {
		t.Errorf("credential prints as %q", got)
	}
}

func TestFingerprint(t *testing.T) {
	// ssh-keygen hashes a framed key, so the vector is printf '%032d' 0 | openssl sha256 -binary | base64.
	const want = "SHA256:hODA6vqpWjTCk/J4rFLkXOU3urXnUqAOaVmhOuEDtlo"
	if got := keys.Fingerprint([]byte(strings.Repeat("0", 32))); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
}
