// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"testing"

	"github.com/nightjar-cam/nightjar/keys/record"
)

func TestChainVerifies(t *testing.T) {
	c := New("porch")
	chain := record.NewChain("porch", c.Public())
	for _, e := range []Entry{c.Clip([]byte("a"), nil), c.Loss(record.Overflow, ""), c.Clip([]byte("b"), []byte("c"))} {
		if r, err := chain.Next(e.JWS); err != nil || r.Seq != e.Seq {
			t.Errorf("record %d: %v", e.Seq, err)
		}
	}
}
