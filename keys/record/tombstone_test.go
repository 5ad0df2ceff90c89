// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testTombstone() Tombstone {
	return Tombstone{
		Version: Version, Device: "front-door", Seq: 2, Record: strings.Repeat("0b", 32), Clip: strings.Repeat("0a", 16),
		Removed: time.Date(2026, 3, 4, 5, 6, 7, 120e6, time.UTC), Reason: Aged,
	}
}

func signTombstone(t testing.TB) []byte {
	t.Helper()
	jws, err := SignTombstone(testKey, testTombstone())
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

// A change of this file is a change of the form: stores hold the old one.
func TestTombstoneGolden(t *testing.T) {
	jws := signTombstone(t)
	want, err := os.ReadFile(filepath.Join("testdata", "tombstone.jws"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(jws)); diff != "" {
		t.Errorf("tombstone (-golden +now):\n%s", diff)
	}
	got, err := VerifyTombstone(testKey.Public().(ed25519.PublicKey), jws)
	if diff := cmp.Diff(testTombstone(), got); err != nil || diff != "" {
		t.Errorf("error %v, tombstone (-want +got):\n%s", err, diff)
	}
}

func TestTombstoneIsNoOtherStatement(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	jws := signTombstone(t)
	if _, err := VerifyReceipt(pub, jws); !errors.Is(err, ErrMalformed) {
		t.Errorf("taken for a receipt: %v", err)
	}
	if _, err := Verify(pub, jws); !errors.Is(err, ErrMalformed) {
		t.Errorf("taken for a record: %v", err)
	}
	if _, err := VerifyTombstone(pub, sign(testKey, receiptHeader, []byte(goodReceipt))); !errors.Is(err, ErrMalformed) {
		t.Errorf("a receipt taken for a tombstone: %v", err)
	}
	for i := range jws {
		changed := bytes.Clone(jws)
		changed[i] ^= 0x01
		if _, err := VerifyTombstone(pub, changed); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
}

func TestSignTombstoneRefuses(t *testing.T) {
	for name, change := range map[string]func(*Tombstone){
		"version":      func(s *Tombstone) { s.Version = 2 },
		"device":       func(s *Tombstone) { s.Device = "" },
		"seq":          func(s *Tombstone) { s.Seq = 0 },
		"record":       func(s *Tombstone) { s.Record = "" },
		"clip":         func(s *Tombstone) { s.Clip = "" },
		"microseconds": func(s *Tombstone) { s.Removed = s.Removed.Add(time.Microsecond) },
		"reason":       func(s *Tombstone) { s.Reason = "" },
		"too large":    func(s *Tombstone) { s.Reason = strings.Repeat("x", MaxSize) },
	} {
		s := testTombstone()
		change(&s)
		if jws, err := SignTombstone(testKey, s); err == nil {
			t.Errorf("%s: signed %s", name, jws)
		}
	}
}

// FuzzVerifyTombstone is FuzzVerify for tombstones.
func FuzzVerifyTombstone(f *testing.F) {
	payload, err := canonical(testTombstone())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		fuzzed(t, payload, tombstoneHeader, VerifyTombstone, SignTombstone)
	})
}
