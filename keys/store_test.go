// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
)

func open(t *testing.T, dir string) *keys.Store {
	t.Helper()
	s, err := keys.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValidDevice(t *testing.T) {
	for id, valid := range map[string]bool{
		"a": true, "0": true, "front-door": true, "cam-2": true, "a--b": true, strings.Repeat("a", 63): true,
		"": false, strings.Repeat("a", 64): false, "-a": false, "a-": false, "-": false, "Front": false, "a_b": false,
		"a b": false, "a/b": false, "a.b": false, "..": false, "+": false, "#": false, "a\x00": false, "a\n": false, "é": false,
	} {
		if err := keys.ValidDevice(id); (err == nil) != valid {
			t.Errorf("ValidDevice(%q) = %v, want valid %v", id, err, valid)
		}
	}
}

// fill puts one of each file into the store at dir.
func fill(t *testing.T, dir string) *keys.Store {
	t.Helper()
	s := open(t, dir)
	if _, err := s.Identity(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second replaces the first
		if err := errors.Join(s.SaveCredential(newHub(t).credential(t)), s.SetRecipients([]byte("age1...\n"))); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestStoreModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "var", "keys")
	fill(t, dir)
	want := map[string]fs.FileMode{".": 0o700, "identity.key": 0o600, "credential.json": 0o600, "recipients.txt": 0o600}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if mode, known := want[name]; !known || info.Mode().Perm() != mode {
			t.Errorf("%s with mode %v, want %v of these only: %v", name, info.Mode(), mode, want)
		}
		delete(want, name)
		return err
	})
	if err != nil || len(want) != 0 {
		t.Errorf("missing %v, error %v", want, err)
	}
}

func TestStoreRefusesWhatIsOpenToOthers(t *testing.T) {
	for _, mode := range []fs.FileMode{0o701, 0o750, 0o777} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.OpenStore(dir); err == nil || !strings.Contains(err.Error(), "chmod go=") {
			t.Errorf("folder with mode %v: %v", mode, err)
		}
	}
	dir := t.TempDir() + "/keys"
	s := fill(t, dir)
	for name, read := range map[string]func() error{
		"identity.key":    func() error { _, err := s.Identity(); return err },
		"credential.json": func() error { _, err := s.Credential(); return err },
		"recipients.txt":  func() error { _, err := s.Recipients(); return err },
	} {
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o620} {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
			if err := read(); err == nil || !strings.Contains(err.Error(), "chmod go=") {
				t.Errorf("%s with mode %v: %v", name, mode, err)
			}
		}
	}
}

func TestOpenStoreNeedsAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenStore(file); err == nil {
		t.Error("a file was opened as a store")
	}
}

func TestIdentityIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var made [8]keys.Identity
	var makers sync.WaitGroup
	for i := range made {
		makers.Go(func() {
			s, err := keys.OpenStore(dir)
			if err == nil {
				made[i], err = s.Identity()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	makers.Wait()
	if t.Failed() {
		return
	}
	for _, identity := range made {
		if !identity.Key().Equal(made[0].Key()) {
			t.Errorf("%v and %v were made", identity, made[0])
		}
	}
	if names, _ := filepath.Glob(dir + "/.*"); len(names) != 0 {
		t.Errorf("left over: %v", names)
	}
}

func TestDamagedIdentity(t *testing.T) {
	const rsa = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	p256 := newHub(t).credential(t)
	for name, text := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "no key": []byte(rsa), "other kind of key": pemKey(t, p256.TLS.PrivateKey),
		"too large": make([]byte, 65<<10),
	} {
		dir := filepath.Join(t.TempDir(), "keys")
		s := open(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "identity.key"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Identity(); err == nil {
			t.Errorf("%s: gave an identity", name)
		}
		if now, _ := os.ReadFile(filepath.Join(dir, "identity.key")); !bytes.Equal(now, text) {
			t.Errorf("%s: was replaced", name)
		}
	}
}

// A name that leads nowhere reads as missing and cannot be made: that must not go round in circles.
func TestDanglingIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s := open(t, dir)
	if err := os.Symlink("nowhere", filepath.Join(dir, "identity.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Identity(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want %v", err, fs.ErrNotExist)
	}
}

func TestRecipients(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "keys"))
	if _, err := s.Recipients(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before any were set: %v", err)
	}
	for _, want := range []string{"age1first\nage1second\n", "age1third\n"} {
		if err := s.SetRecipients([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Recipients(); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if err := s.SetRecipients(make([]byte, 65<<10)); err == nil {
		t.Error("65 KiB of recipients were taken")
	}
}
