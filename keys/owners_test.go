// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
)

func ownerKey(t testing.TB) ed25519.PublicKey {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func TestOwners(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s := open(t, dir)
	if owners, err := s.Owners(); err != nil || len(owners) != 0 {
		t.Errorf("before any was set: %v, %v", owners, err)
	}
	var all []ed25519.PublicKey
	for range keys.MaxOwners {
		all = append(all, ownerKey(t))
		if err := s.SetOwners(all); err != nil {
			t.Fatal(err)
		}
	}
	owners, err := open(t, dir).Owners()
	if err != nil || len(owners) != len(all) || !owners[keys.MaxOwners-1].Equal(all[keys.MaxOwners-1]) {
		t.Errorf("%d owners, %v", len(owners), err)
	}
	for what, bad := range map[string][]ed25519.PublicKey{
		"one too many": append(all, ownerKey(t)),
		"one twice":    {all[0], all[0]},
		"a short one":  {all[0][:31]},
	} {
		if err := s.SetOwners(bad); err == nil {
			t.Errorf("%s: set", what)
		}
	}
	if owners, err := s.Owners(); err != nil || len(owners) != keys.MaxOwners {
		t.Errorf("what was refused has changed them: %d, %v", len(owners), err)
	}
	if err := s.SetOwners(nil); err != nil {
		t.Fatal(err)
	}
	if owners, err := s.Owners(); err != nil || len(owners) != 0 {
		t.Errorf("after all were removed: %v, %v", owners, err)
	}
	// A file that somebody wrote by hand, wrongly, is an error and not a camera without owners.
	for _, text := range []string{"ed25519:x\n", keys.PublicText(all[0])[:50] + "\n", strings.Repeat(keys.PublicText(all[0])+"\n", 2)} {
		if err := os.WriteFile(filepath.Join(dir, "owners.pub"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if owners, err := s.Owners(); err == nil {
			t.Errorf("%q: read as %v", text, owners)
		}
	}
}

func FuzzParsePublic(f *testing.F) {
	f.Add(keys.PublicText(ownerKey(f)))
	f.Add("ed25519:")
	f.Add("ed25519:AAAA\nAAAA")
	f.Fuzz(func(t *testing.T, word string) {
		if pub, err := keys.ParsePublic(word); err == nil && keys.PublicText(pub) != word {
			t.Fatalf("%q is read as %s", word, keys.PublicText(pub))
		}
	})
}
