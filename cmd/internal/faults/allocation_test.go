// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	orders "github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// hostile are inputs that make careless parsers allocate: lengths that lie, depth, repetition, noise.
func hostile(random *rand.Rand) (inputs [][]byte) {
	for _, n := range []int{0, 1, 100, 10_000, 200_000} {
		noise := make([]byte, n)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		object := `{"v":1,"seq":18446744073709551615,"clip":"` + strings.Repeat("a", n) + `"}`
		inputs = append(inputs, noise, make([]byte, n), bytes.Repeat([]byte{0xff}, n), []byte(object),
			bytes.Repeat([]byte("["), n), bytes.Repeat([]byte(`{"a":`), n/5), bytes.Repeat([]byte("- "), n/2), bytes.Repeat([]byte("{a: "), n/4),
			[]byte(`{"v":1,"zones":[`+strings.Repeat(`"x",`, n/4)+`"x"]}`), []byte("eyJhbGciOiJFZERTQSJ9."+strings.Repeat("QUFB", n/4)+"."+strings.Repeat("A", 86)),
			[]byte("a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n"+strings.Repeat("#", n)))
	}
	return inputs
}

func parsers() map[string]func([]byte) {
	key := make(ed25519.PublicKey, ed25519.PublicKeySize)
	return map[string]func([]byte){
		"wire topic":   func(b []byte) { wire.ParseTopic(string(b)) },
		"wire offer":   func(b []byte) { wire.ParseOffer(b) },
		"wire have":    func(b []byte) { wire.ParseHave(b) },
		"wire refuse":  func(b []byte) { wire.ParseRefuse(b) },
		"wire status":  func(b []byte) { wire.ParseStatus(b) },
		"wire welcome": func(b []byte) { wire.ParseWelcome(b) },
		"wire result":  func(b []byte) { wire.ParseResult(b) },
		"wire chunk":   func(b []byte) { wire.ParseChunk(b) },
		"record":       func(b []byte) { record.Verify(key, b) },
		"receipt":      func(b []byte) { record.VerifyReceipt(key, b) },
		"tombstone":    func(b []byte) { record.VerifyTombstone(key, b) },
		"command":      func(b []byte) { orders.Verify(key, b) },
		"token":        func(b []byte) { enroll.ParseToken(string(b)) },
		"recipients":   func(b []byte) { seal.Recipients(bytes.NewReader(b)) },
		"config":       func(b []byte) { config.Default().Overlay(b) },
	}
}

// allocated returns what f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestAllocations runs alone, or what others allocate would count.
func TestAllocations(t *testing.T) {
	r := newRow(t, "parsers: memory for hostile input", "allocation <= 4 x input + 1 MiB")
	inputs, most, by := hostile(rand.New(rand.NewPCG(1, 2))), 0.0, ""
	all := parsers()
	for name, parse := range all {
		for i, b := range inputs {
			n, limit := allocated(func() { parse(b) }), uint64(4*len(b)+1<<20)
			if n > limit {
				t.Errorf("%s: %d bytes for input %d of %d bytes", name, n, i, len(b))
			}
			if share := float64(n) / float64(limit); share > most {
				most, by = share, name
			}
		}
	}
	r.measured("%d parsers, %d inputs: at most %.0f %% of that (%s)", len(all), len(inputs), 100*most, by)
}
