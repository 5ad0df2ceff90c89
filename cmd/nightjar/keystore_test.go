// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"

	"github.com/nightjar-cam/nightjar/board/otp"
	"github.com/nightjar-cam/nightjar/keys"
)

func TestOpenKeys(t *testing.T) {
	state := t.TempDir()
	board := func(key byte, err error) func() ([32]byte, error) {
		return func() ([32]byte, error) { return [32]byte{key}, err }
	}
	for _, test := range []struct {
		name   string
		secret func() ([32]byte, error)
		want   string
	}{{"no secret", board(0, otp.ErrNone), "file permissions"}, {"secret", board(1, nil), "Raspberry Pi OTP private key"}} {
		s, err := openKeysWith(state, test.secret)
		if err != nil || s.Protection() != test.want {
			t.Fatalf("%s: %v", test.name, err)
		}
		if _, err := s.Identity(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// The card in a board without the secret, and a mailbox that fails: no fall-back to a new identity.
	s, err := openKeysWith(state, board(0, otp.ErrNone))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Identity(); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("without the secret: %v", err)
	}
	broken := errors.New("mailbox time-out")
	if _, err := openKeysWith(state, board(0, broken)); !errors.Is(err, broken) {
		t.Errorf("with a broken mailbox: %v", err)
	}
}
