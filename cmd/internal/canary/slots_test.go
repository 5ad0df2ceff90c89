// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

// A slot is a place that holds a secret.
type slot struct {
	name   string
	secret []byte
}

// site is a hub, a camera and an owner, with every secret they have.
type site struct {
	hub        *hubtest.Hub
	store      *keys.Store
	camera     string // folder of the store
	identity   keys.Identity
	credential keys.Credential
	token      enroll.Token // unused
	owner      seal.Owner
	passphrase []byte
	sealer     keys.Sealer
	slots      []slot
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{hub: hubtest.Start(t), camera: filepath.Join(t.TempDir(), "keys"), passphrase: []byte("canary in a coal mine")}
	var err error
	if s.store, err = keys.OpenStore(s.camera); err != nil {
		t.Fatal(err)
	}
	if s.identity, err = s.store.Identity(); err != nil {
		t.Fatal(err)
	}
	if s.credential, err = enroll.Enroll(t.Context(), s.hub.Addr, s.hub.Token(t, "porch"), s.identity); err != nil {
		t.Fatal(err)
	}
	if err := s.store.SaveCredential(s.credential); err != nil {
		t.Fatal(err)
	}
	s.token = s.hub.Token(t, "yard")
	if s.owner, err = seal.NewOwner(false); err != nil {
		t.Fatal(err)
	}
	add := func(name string, secret []byte) { s.slots = append(s.slots, slot{name, secret}) }
	add("camera identity", s.identity.Key().Seed())
	add("camera TLS key", scalar(t, s.credential.TLS.PrivateKey))
	add("enrolment token", s.token.Secret[:])
	add("owner identity", []byte(secretLine(t, string(s.owner.File(noon)))))
	add("owner phrase", []byte(strings.Join(strings.Fields(s.owner.Phrase())[2:6], " ")))
	add("owner passphrase", s.passphrase)
	board := []byte("the board's own secret, 32 bytes")
	if s.sealer, err = keys.NewSealer("board", board); err != nil {
		t.Fatal(err)
	}
	add("board secret", board)
	files, err := filepath.Glob(filepath.Join(s.hub.Dir, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		add("hub "+filepath.Base(f), pemKey(t, f))
	}
	return s
}

func secretLine(t *testing.T, file string) string {
	t.Helper()
	i := strings.Index(file, "AGE-SECRET-KEY-1")
	if i < 0 {
		t.Fatal("the identity file has no secret")
	}
	return strings.TrimSpace(file[i:])
}

func scalar(t *testing.T, key any) []byte {
	t.Helper()
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		b, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	case ed25519.PrivateKey:
		return k.Seed()
	}
	t.Fatalf("a key of type %T", key)
	return nil
}

func pemKey(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		t.Fatalf("%s is not PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return scalar(t, key)
}

// found tells in which spelling text shows a part of the secret, or "".
func found(text string, secret []byte) string {
	part := secret[4:min(16, len(secret))]
	hexed, decimals := hex.EncodeToString(part), strings.Trim(fmt.Sprint(part), "[]")
	spellings := []string{
		string(part), hexed, strings.ToUpper(hexed), decimals, strings.ReplaceAll(decimals, " ", ", "), strings.ReplaceAll(decimals, " ", ","),
		new(big.Int).SetBytes(secret).String(), strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte"), "{}"),
	}
	// Base64 of something that has the secret in it: it may begin in any of three places. The ends share bits with others.
	for offset := range 3 {
		padded := append(bytes.Repeat([]byte{0}, offset), secret[:min(32, len(secret))]...)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			all := enc.EncodeToString(padded)
			spellings = append(spellings, all[4 : len(all)-2][:12])
		}
	}
	quoted, err := json.Marshal(string(part))
	if err == nil {
		spellings = append(spellings, strings.Trim(string(quoted), `"`))
	}
	for _, s := range spellings {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}
