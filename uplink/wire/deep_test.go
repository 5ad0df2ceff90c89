// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// What a message may cost that is nothing but depth: the bound of every decoder is four times its input and 1 MiB.
func TestDeepMessagesAreCheap(t *testing.T) {
	decoders := map[string]func([]byte) error{
		"offer":   func(b []byte) error { _, err := wire.ParseOffer(b); return err },
		"have":    func(b []byte) error { _, err := wire.ParseHave(b); return err },
		"refuse":  func(b []byte) error { _, err := wire.ParseRefuse(b); return err },
		"status":  func(b []byte) error { _, err := wire.ParseStatus(b); return err },
		"welcome": func(b []byte) error { _, err := wire.ParseWelcome(b); return err },
		"result":  func(b []byte) error { _, err := wire.ParseResult(b); return err },
	}
	for name, decode := range decoders {
		for shape, piece := range map[string][2]string{
			"lists": {"[", "]"}, "objects": {`{"v":`, "}"}, "unclosed lists": {"[", ""}, "lists in a known field": {`{"v":1,"data":[`, ""},
		} {
			for _, size := range []int{wire.MaxSmall, wire.MaxOffer, 300 << 10} {
				n := size / (len(piece[0]) + len(piece[1]))
				text := []byte(strings.Repeat(piece[0], n) + strings.Repeat(piece[1], n))
				if shape == "lists in a known field" {
					text = []byte(piece[0] + strings.Repeat("[", (size-2*len(piece[0]))/2) + strings.Repeat("]", (size-2*len(piece[0]))/2) + "]}")
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := decode(text)
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Errorf("%s: %d bytes of %s are taken", name, len(text), shape)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > 4*uint64(len(text))+1<<20 {
					t.Errorf("%s: %d bytes of %s take %d bytes", name, len(text), shape, took)
				} else if size == wire.MaxSmall && name == "have" {
					t.Logf("%s: %d bytes of %s take %d bytes", name, len(text), shape, took)
				}
			}
		}
	}
}
