// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var (
	identityKey = ed25519.NewKeyFromSeed(make([]byte, 32))
	otherKey    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
)

// request returns a good request, but for the CSR.
func request() Request {
	secret, csr := bytes.Repeat([]byte{5}, 16), []byte("a certificate request")
	return Request{
		Version: version, Secret: secret, CSR: csr, Identity: identityKey.Public().(ed25519.PublicKey),
		Proof: ed25519.Sign(identityKey, proofText(secret, csr)),
	}
}

func TestRequestVerify(t *testing.T) {
	if err := request().Verify(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Request){
		"version":        func(r *Request) { r.Version = 2 },
		"short secret":   func(r *Request) { r.Secret = r.Secret[:15] },
		"other secret":   func(r *Request) { r.Secret = make([]byte, 16) },
		"other CSR":      func(r *Request) { r.CSR = []byte("another request") },
		"short identity": func(r *Request) { r.Identity = r.Identity[:31] },
		"other identity": func(r *Request) { r.Identity = otherKey.Public().(ed25519.PublicKey) },
		"no proof":       func(r *Request) { r.Proof = nil },
		"other prefix":   func(r *Request) { r.Proof = ed25519.Sign(identityKey, proofText(r.Secret, r.CSR)[1:]) },
		"forged proof":   func(r *Request) { r.Proof = ed25519.Sign(otherKey, proofText(r.Secret, r.CSR)) },
	} {
		r := request()
		change(&r)
		if err := r.Verify(); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, r := range refusals {
		if code := codeOf(fmt.Errorf("wrapped: %w", r.err)); code != r.code {
			t.Errorf("code %q of %v, want %q", code, r.err, r.code)
		}
		if err := refusal(r.code); err != r.err {
			t.Errorf("%q gives %v", r.code, err)
		}
	}
	if code := codeOf(io.ErrUnexpectedEOF); code != "hub-failed" {
		t.Errorf("code %q of an unknown error", code)
	}
	if err := refusal("new" + strings.Repeat("x", 1000)); len(err.Error()) > 200 || !strings.Contains(err.Error(), "update this program") {
		t.Errorf("unknown code: %v", err)
	}
}

func framed(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

func TestMessages(t *testing.T) {
	var wire bytes.Buffer
	want := request()
	if err := write(&wire, want); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(wire.Bytes())
	var got Request
	if err := read(iotest.OneByteReader(&wire), &got); err != nil || !cmp.Equal(want, got) {
		t.Errorf("error %v, request (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	for n := range whole {
		if err := read(bytes.NewReader(whole[:n]), new(Request)); err == nil {
			t.Errorf("read from %d bytes of %d", n, len(whole))
		}
	}
	for name, b := range map[string][]byte{
		"empty": framed(""), "unknown field": framed(`{"v":1,"w":1}`), "trailing data": framed(`{"v":1}{}`), "type": framed(`{"v":"1"}`),
	} {
		if err := read(bytes.NewReader(b), new(Request)); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	if err := write(&wire, Request{CSR: make([]byte, maxMessage)}); err == nil || wire.Len() != 0 {
		t.Errorf("wrote a message that is too large: %v", err)
	}
}

func TestLengthIsBoundedBeforeAllocation(t *testing.T) {
	for _, n := range []uint32{maxMessage + 1, 1 << 30, 1<<32 - 1} {
		head := binary.BigEndian.AppendUint32(nil, n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := read(io.MultiReader(bytes.NewReader(head), iotest.ErrReader(errors.New("read on"))), new(Request))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("message of %d bytes", n)) {
			t.Errorf("length %d: %v", n, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > maxMessage/2 {
			t.Errorf("length %d: allocated %d bytes", n, got)
		}
	}
}

// FuzzRead checks that what is read can be written and is read as the same.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := write(&b, request()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(framed(`{"v":1,"device":"front-door","certificate":"AAAA","ca":"","receipt_key":null,"code":"<"}`))
	f.Add(framed(`{"v":1,"device":"front-door","csr":"AAAA","proof":"AAAA"}`))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxMessage/6 { // an escape has six bytes at most
			return
		}
		rewritten[Request](t, b)
		rewritten[Response](t, b)
		rewritten[RenewRequest](t, b)
	})
}

func rewritten[M any](t *testing.T, b []byte) {
	var m, twin M
	if read(bytes.NewReader(b), &m) != nil {
		return
	}
	var once, twice bytes.Buffer
	err := write(&once, m)
	text := once.String()
	if err := errors.Join(err, read(&once, &twin), write(&twice, twin)); err != nil || twice.String() != text {
		t.Fatalf("%q, then %q, %v", text, &twice, err)
	}
}
