// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
)

func sealer(t *testing.T, secret byte) keys.Sealer {
	t.Helper()
	s, err := keys.NewSealer("test board", bytes.Repeat([]byte{secret}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// disk returns all that a thief of the card has.
func disk(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	for _, name := range []string{"identity.key", "credential.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// The card of a board with a secret gives away no key, and opens on no other board. A card of before is sealed when it is opened.
func TestSealedStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	plain := open(t, dir)
	identity, err := plain.Identity()
	if err != nil {
		t.Fatal(err)
	}
	credential := newHub(t).credential(t)
	if err := plain.SaveCredential(credential); err != nil {
		t.Fatal(err)
	}
	if p := plain.Protection(); p != "file permissions" {
		t.Errorf("without a sealer the protection is %q", p)
	}
	if !bytes.Contains(disk(t, dir), []byte("PRIVATE KEY")) { // the mutant: nothing is sealed
		t.Error("a plain store shows no key: the search below sees nothing")
	}
	for range 2 { // sealed now, and found sealed
		s, err := keys.OpenSealedStore(dir, sealer(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		if p := s.Protection(); p != "test board" {
			t.Errorf("the protection is %q", p)
		}
		again, err1 := s.Identity()
		c, err2 := s.Credential()
		if err := errors.Join(err1, err2); err != nil || !again.Key().Equal(identity.Key()) || !c.TLS.PrivateKey.(*ecdsa.PrivateKey).Equal(credential.TLS.PrivateKey) {
			t.Errorf("other keys, or %v", err)
		}
		if b := disk(t, dir); bytes.Contains(b, []byte("PRIVATE KEY")) || bytes.Contains(b, []byte("certificate")) {
			t.Errorf("the disk shows %q", b)
		}
		if err := s.SaveCredential(credential); err != nil {
			t.Fatal(err)
		}
	}
	other, err := keys.OpenSealedStore(dir, sealer(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*keys.Store{"another board": other, "a board without a secret": open(t, dir)} {
		_, err1 := s.Identity()
		_, err2 := s.Credential()
		if !errors.Is(err1, keys.ErrSealed) || !errors.Is(err2, keys.ErrSealed) {
			t.Errorf("%s: %v, %v", name, err1, err2)
		}
	}
}

// A sealed file is worth nothing under another name, or changed.
func TestSealedFilesDoNotChangePlaces(t *testing.T) {
	s := sealer(t, 1)
	sealed, err := s.Seal("identity.key", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Unseal("identity.key", sealed); err != nil || string(b) != "secret" {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := s.Unseal("credential.json", sealed); err == nil {
		t.Error("opens under another name")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := s.Unseal("identity.key", bad); err == nil {
			t.Errorf("opens with byte %d changed", i)
		}
	}
	if _, err := keys.NewSealer("weak", []byte("short")); err == nil {
		t.Error("took a short secret")
	}
}

// A new camera's keys never touch the disk in the clear.
func TestNewKeysAreSealed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s, err := keys.OpenSealedStore(dir, sealer(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Identity(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "identity.key"))
	if err != nil || bytes.Contains(b, []byte("PRIVATE")) || !bytes.HasPrefix(b, []byte("nightjar-sealed-v1\n")) {
		t.Errorf("the disk has %q, %v", b, err)
	}
}
