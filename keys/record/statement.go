// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/ed25519"
	"fmt"
)

// SignStatement signs a statement of another package in the envelope that records have. typ tells statements apart, such as
// "nightjar-command+jws": one never verifies as another. v is encoded in canonical form.
func SignStatement(key ed25519.PrivateKey, typ string, v any) ([]byte, error) {
	payload, err := canonical(v)
	if err != nil {
		return nil, err
	}
	jws := sign(key, statementHeader(typ), payload)
	if len(jws) > MaxSize {
		return nil, fmt.Errorf("%d bytes, more than %d", len(jws), MaxSize)
	}
	return jws, nil
}

// VerifyStatement checks signature and form, and decodes into v. What the statement says is the caller's to check.
func VerifyStatement(pub ed25519.PublicKey, typ string, jws []byte, v any) error {
	payload, err := verify(pub, statementHeader(typ), jws)
	if err != nil {
		return err
	}
	return decode(payload, v)
}

// PeekStatement decodes into v what a statement says, whoever signed it: nothing of it is proved.
func PeekStatement(typ string, jws []byte, v any) error {
	payload, err := unverified(statementHeader(typ), jws)
	if err != nil {
		return err
	}
	return decode(payload, v)
}

func statementHeader(typ string) string { return `{"alg":"EdDSA","typ":"` + typ + `"}` }
