// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// made returns a function that makes one credential of a camera after the other.
func made(t *testing.T) func() Credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().AddDate(1, 0, 0)}
	ca := issued(t, template, template, &key.PublicKey, key)
	n := int64(0)
	return func() Credential {
		n++
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		leaf := issued(t, &x509.Certificate{SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: "porch"}}, ca, &own.PublicKey, key)
		return Credential{Device: "porch", CA: ca, ReceiptKey: make(ed25519.PublicKey, ed25519.PublicKeySize), Hub: "hub:8883",
			TLS: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: own, Leaf: leaf}}
	}
}

func issued(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// cuts renews the credential so many times and looks, at each step of each, at the folders that a cut there may leave: as it
// is, and with what was not synced lost, in part or whole. It returns how many folders it saw, and how many of them hold no
// credential to go on with.
func cuts(t *testing.T, renewals int, place func(look func()) func(from, to string) error) (seen, lockedOut int) {
	t.Helper()
	dir, next := filepath.Join(t.TempDir(), "keys"), made(t)
	later := next()
	s := &Store{dir: dir, sync: (*os.File).Sync}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveCredential(next()); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(t.TempDir(), "cut")
	judge := func(files map[string][]byte) {
		seen++
		if err := os.Mkdir(left, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(left, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		after := &Store{dir: left, sync: func(*os.File) error { return nil }}
		err := after.open()
		if err == nil {
			_, err = after.Credential()
		}
		if err == nil { // and the next renewal finds nothing in its way
			err = after.SaveCredential(later)
		}
		if err != nil {
			lockedOut++
		}
		if err := os.RemoveAll(left); err != nil {
			t.Fatal(err)
		}
	}
	durable := contents(t, dir) // what a power cut cannot take
	look := func() {
		now := contents(t, dir)
		judge(now)
		judge(durable)
		for name, b := range now { // a new file may be there by name, and torn
			if _, old := durable[name]; !old {
				torn := maps.Clone(durable)
				torn[name] = b[:len(b)/2]
				judge(torn)
			}
		}
	}
	s.sync = func(f *os.File) error {
		look()
		if info, err := f.Stat(); err != nil || info.IsDir() {
			durable = contents(t, dir)
		}
		look()
		return nil
	}
	for range renewals {
		if err := s.saveCredential(next(), place(look)); err != nil {
			t.Fatal(err)
		}
	}
	return seen, lockedOut
}

func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range names {
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestCredentialSurvivesCuts(t *testing.T) {
	renewals := 500
	if testing.Short() {
		renewals = 20
	}
	seen, lockedOut := cuts(t, renewals, func(func()) func(from, to string) error { return os.Rename })
	if lockedOut > 0 || seen < 4*renewals {
		t.Errorf("%d of %d folders hold no usable credential", lockedOut, seen)
	}
	t.Logf("%d renewals, a cut at every step, %d folders looked at: %d locked out", renewals, seen, lockedOut)
}

// The mutant writes the new credential over the old one instead of renaming it into its place.
func TestMutantCredentialWrittenInPlace(t *testing.T) {
	seen, lockedOut := cuts(t, 5, func(look func()) func(from, to string) error {
		return func(from, to string) error {
			b, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			if err := os.WriteFile(to, b[:len(b)/2], 0o600); err != nil {
				return err
			}
			look()
			return os.WriteFile(to, b, 0o600)
		}
	})
	if lockedOut == 0 {
		t.Errorf("writing in place passes all of %d folders: the test above sees nothing", seen)
	}
}

// What a cut left half written holds a private key, and goes at the next start; a fresh one may be another process' at work.
func TestLeftoversAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := OpenStore(dir); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(dir, ".credential.json-1"), filepath.Join(dir, ".credential.json-2")
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the leftover is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("the file at work: %v", err)
	}
}
