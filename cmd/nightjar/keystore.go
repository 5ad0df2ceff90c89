// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/nightjar-cam/nightjar/board/otp"
	"github.com/nightjar-cam/nightjar/keys"
)

// openKeys opens the store of the camera's keys, sealed to the board if it has a secret. Every command opens it here: a store
// that was sealed cannot be read otherwise.
func openKeys(state string) (*keys.Store, error) { return openKeysWith(state, otp.PrivateKey) }

func openKeysWith(state string, secret func() ([32]byte, error)) (*keys.Store, error) {
	key, err := secret()
	if errors.Is(err, otp.ErrNone) {
		return keys.OpenStore(keysDir(state))
	}
	if err != nil {
		return nil, err
	}
	sealer, err := keys.NewSealer("Raspberry Pi OTP private key", key[:])
	if err != nil {
		return nil, err
	}
	return keys.OpenSealedStore(keysDir(state), sealer)
}
