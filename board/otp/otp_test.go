// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"encoding/hex"
	"errors"
	"os"
	"testing"
)

// firmware answers with these words; it is a stand-in for the board's.
func firmware(t *testing.T, words ...uint32) func(*message) error {
	return func(m *message) error {
		want := message{0x40, 0, 0x30081, 40, 40, 0, 8}
		if *m != want {
			t.Errorf("asked %x, want %x", *m, want)
		}
		copy(m[:], words)
		return nil
	}
}

// The example of Raspberry Pi's documentation of the mailbox interface.
func TestDocumentedExample(t *testing.T) {
	key, err := read(firmware(t, 0x40, 0x80000000, 0x30081, 0x28, 0x80000028, 0, 8,
		0xf8dbc7b0, 0xa4fcfb1d, 0x706e298a, 0xc9d0485c, 0x2226ce8d, 0xf7f7596a, 0xc77337bd, 0x09fbe160, 0))
	if got := hex.EncodeToString(key[:]); err != nil || got != "f8dbc7b0a4fcfb1d706e298ac9d0485c2226ce8df7f7596ac77337bd09fbe160" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestBoardsWithoutAKey(t *testing.T) {
	for name, words := range map[string][]uint32{
		"not written":    {0x40, 0x80000000, 0x30081, 0x28, 0x80000028, 0, 8},
		"unknown tag":    {0x40, 0x80000000, 0x30081, 0x28, 0x28, 0, 8, 1},
		"request failed": {0x40, 0x80000001, 0x30081, 0x28, 0x80000028, 0, 8, 1},
		"no answer":      nil,
	} {
		if key, err := read(firmware(t, words...)); !errors.Is(err, ErrNone) || key != [32]byte{} && name != "not written" {
			t.Errorf("%s: got %x, %v", name, key, err)
		}
	}
	if _, err := read(func(*message) error { return os.ErrPermission }); errors.Is(err, ErrNone) || !errors.Is(err, os.ErrPermission) {
		t.Errorf("a mailbox that refuses: %v", err)
	}
}

func TestThisMachine(t *testing.T) {
	if _, err := os.Stat(device); err == nil {
		t.Skip("this is a Raspberry Pi: its own key is none of the test's business")
	}
	if _, err := PrivateKey(); !errors.Is(err, ErrNone) {
		t.Errorf("error %v, want %v", err, ErrNone)
	}
}
