// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"encoding/binary"
	"io"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/nightjar-cam/nightjar/keys/seal"
)

// BenchmarkSeal compares sealing with the bare cipher on the same chunks: the difference is what the format costs.
func BenchmarkSeal(b *testing.B) {
	const chunk, total = 64 << 10, 16 << 20
	plain := random(chunk)
	b.Run("age", func(b *testing.B) {
		_, recipient := owner(b)
		to := recipients(b, recipient)
		b.SetBytes(total)
		for b.Loop() {
			w, err := seal.NewWriter(io.Discard, to)
			if err != nil {
				b.Fatal(err)
			}
			for range total / chunk {
				if _, err := w.Write(plain); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("chacha20poly1305", func(b *testing.B) {
		cipher, err := chacha20poly1305.New(random(chacha20poly1305.KeySize))
		if err != nil {
			b.Fatal(err)
		}
		out := make([]byte, 0, chunk+cipher.Overhead())
		var nonce [chacha20poly1305.NonceSize]byte
		b.SetBytes(total)
		for b.Loop() {
			for n := range total / chunk {
				binary.BigEndian.PutUint64(nonce[4:], uint64(n))
				if _, err := io.Discard.Write(cipher.Seal(out, nonce[:], plain, nil)); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
