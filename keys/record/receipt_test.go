// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
)

// During a rotation of the hub's receipt key a receipt by either is good, and by no third.
func TestReceiptByAnyOfTwoKeys(t *testing.T) {
	var private [3]ed25519.PrivateKey
	var public [3]ed25519.PublicKey
	for i := range private {
		public[i], private[i], _ = ed25519.GenerateKey(nil)
	}
	want := record.Receipt{Version: record.Version, Device: "porch", Seq: 7, Record: strings.Repeat("ab", 32), Stored: time.UnixMilli(1).UTC()}
	for i, key := range private {
		jws, err := record.SignReceipt(key, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := record.VerifyReceiptAny(public[:2], jws)
		if good := i < 2; good != (err == nil && got == want) || !good && !errors.Is(err, record.ErrSignature) {
			t.Errorf("key %d: %+v, %v", i, got, err)
		}
	}
	if _, err := record.VerifyReceiptAny(nil, []byte("a.b.c")); err == nil {
		t.Error("no key verifies a receipt")
	}
}
