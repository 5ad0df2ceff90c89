// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

// newTestIssuer returns the issuer of a hub that does not run, and an unused token of it.
func newTestIssuer(t *testing.T) (*issuer, enroll.Token) {
	t.Helper()
	dir := t.TempDir()
	if err := Init(dir, nil); err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Dir: dir, Listen: ":0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	word, err := NewToken(dir, "garage", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	token, err := enroll.ParseToken(word)
	if err != nil {
		t.Fatal(err)
	}
	in, _ := newTestIngest(t, camera.New("porch"))
	return &issuer{ca: h.ca, store: in.store, tokens: tokensDir(dir), log: h.log}, token
}

// request is what a device with this TLS key sends.
func request(t *testing.T, token enroll.Token, key crypto.Signer) enroll.Request {
	t.Helper()
	id, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	secret := sha256.Sum256(token.Secret[:])
	proof := append(append([]byte("nightjar-enroll-v1\x00"), secret[:]...), csr...)
	return enroll.Request{Version: 1, Secret: token.Secret[:], CSR: csr, Identity: id.Public(), Proof: id.Sign(proof)}
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The token is used up before there is a certificate: a hub that dies in between, here for want of a
// working CA key, has given the token away and not a certificate.
func TestTokenIsUsedBeforeCertificate(t *testing.T) {
	i, token := newTestIssuer(t)
	i.ca = &authority{cert: i.ca.cert, key: ecKey(t, elliptic.P256())}
	r := request(t, token, ecKey(t, elliptic.P256()))
	if _, err := i.Issue(t.Context(), r); err == nil {
		t.Fatal("a certificate was issued with another key than the CA's")
	}
	if _, err := i.Issue(t.Context(), r); !errors.Is(err, enroll.ErrTokenUsed) {
		t.Errorf("second try: %v, want ErrTokenUsed", err)
	}
}

// A request that cannot be granted leaves the token unused.
func TestBadRequestKeepsToken(t *testing.T) {
	i, token := newTestIssuer(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sound := request(t, token, ecKey(t, elliptic.P256()))
	stolen, torn := sound, sound
	stolen.Identity = request(t, token, ecKey(t, elliptic.P256())).Identity
	torn.CSR = sound.CSR[:len(sound.CSR)-1]
	for name, r := range map[string]enroll.Request{
		"RSA":                     request(t, token, rsaKey),
		"P-384":                   request(t, token, ecKey(t, elliptic.P384())),
		"identity without proof":  stolen,
		"request that is cut off": torn,
	} {
		if _, err := i.Issue(t.Context(), r); !errors.Is(err, enroll.ErrBadRequest) {
			t.Errorf("%s: %v, want ErrBadRequest", name, err)
		}
	}
	if _, err := i.Issue(t.Context(), sound); err != nil {
		t.Errorf("the token afterwards: %v", err)
	}
}
