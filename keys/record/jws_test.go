// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/ed25519"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var testKey = ed25519.NewKeyFromSeed(make([]byte, 32))

// RFC 8037, appendix A.4: the key is that of appendix A.1.
func TestSignRFC8037(t *testing.T) {
	seed, err := b64.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	const header, payload = `{"alg":"EdDSA"}`, "Example of Ed25519 signing"
	const want = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	if got := sign(key, header, []byte(payload)); string(got) != want {
		t.Errorf("signed\n%s, want\n%s", got, want)
	}
	if got, err := verify(key.Public().(ed25519.PublicKey), header, []byte(want)); err != nil || string(got) != payload {
		t.Errorf("payload %q, %v", got, err)
	}
}

// The strings of RFC 8785, 3.2.2.2: what must be escaped is, and how; nothing else is.
func TestCanonical(t *testing.T) {
	for _, test := range []struct {
		v    any
		want string
	}{
		{map[string]any{"b": 1, "a": 2, "B": 3, "": 4, "aa": 5}, `{"":4,"B":3,"a":2,"aa":5,"b":1}`},
		{struct {
			Z int `json:"z"`
			A int `json:"a"`
		}{1, 2}, `{"a":2,"z":1}`},
		{`<b>&'/`, `"<b>&'/"`},
		{"\u20ac$\x0f\nA'B\"\\\"/", `"€$\u000f\nA'B\"\\\"/"`},
		{"\b\t\n\f\r\x00\x1f\x7f", `"\b\t\n\f\r\u0000\u001f` + "\x7f\""},
		{"a\u2028b\u2029c", "\"a\u2028b\u2029c\""},
		{`\u2028` + "\u2028" + `\\u2029`, `"\\u2028` + "\u2028" + `\\\\u2029"`},
		{map[string]int{"\u2028": 1}, "{\"\u2028\":1}"},
		{int64(maxInteger), "9007199254740991"},
	} {
		if got, err := canonical(test.v); err != nil || string(got) != test.want {
			t.Errorf("%q: got %s, %v, want %s", test.v, got, err, test.want)
		}
	}
	if _, err := canonical(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

// goodReceipt is the payload of a receipt, in its one form.
const goodReceipt = `{"clip":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","device":"front-door",` +
	`"record":"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b","seq":7,"stored":"2026-03-04T05:06:07.12Z","v":1}`

const goodRecord = `{"boot":"b","device":"front-door","kind":"loss","loss":{"frames":0,"from":"2026-03-04T05:06:07Z","reason":"storage",` +
	`"to":"2026-03-04T05:06:08Z"},"prev":"0000000000000000000000000000000000000000000000000000000000000000","quality":"free","seq":1,` +
	`"time":"2026-03-04T05:06:08Z","v":1}`

func TestSignedButNotInForm(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	for name, change := range map[string]*strings.Replacer{
		"white space":       strings.NewReplacer(`,"v"`, `, "v"`),
		"trailing data":     strings.NewReplacer(`"v":1}`, `"v":1}{}`),
		"trailing newline":  strings.NewReplacer(`"v":1}`, "\"v\":1}\n"),
		"order":             strings.NewReplacer(`"v":1}`, `"v":1,"device":"front-door"}`),
		"repeated":          strings.NewReplacer(`"seq"`, `"seq":2,"seq"`),
		"unknown field":     strings.NewReplacer(`"v":1}`, `"v":1,"w":1}`),
		"case of a field":   strings.NewReplacer(`"v":1`, `"V":1`),
		"escape":            strings.NewReplacer(`front`, `\u0066ront`),
		"escaped separator": strings.NewReplacer(`front`, `\u2028ront`),
		"HTML escape":       strings.NewReplacer(`front`, `\u003cront`),
		"invalid UTF-8":     strings.NewReplacer(`front`, "\xffront"),
		"number":            strings.NewReplacer(`"v":1`, `"v":1.0`),
		"time":              strings.NewReplacer(`Z"`, `+00:00"`),
		"time with zeros":   strings.NewReplacer(`Z"`, `00Z"`, `07Z"`, `07.000Z"`),
		"version":           strings.NewReplacer(`"v":1`, `"v":2`),
		"nothing":           strings.NewReplacer(goodRecord, "", goodReceipt, ""),
		"null":              strings.NewReplacer(goodRecord, "null", goodReceipt, "null"),
	} {
		if _, err := Verify(pub, sign(testKey, recordHeader, []byte(change.Replace(goodRecord)))); !errors.Is(err, ErrMalformed) {
			t.Errorf("record, %s: %v", name, err)
		}
		if _, err := VerifyReceipt(pub, sign(testKey, receiptHeader, []byte(change.Replace(goodReceipt)))); !errors.Is(err, ErrMalformed) {
			t.Errorf("receipt, %s: %v", name, err)
		}
	}
	if _, err := Verify(pub, sign(testKey, recordHeader, []byte(goodRecord))); err != nil {
		t.Errorf("good record: %v", err)
	}
	if _, err := VerifyReceipt(pub, sign(testKey, receiptHeader, []byte(goodReceipt))); err != nil {
		t.Errorf("good receipt: %v", err)
	}
}

func TestOtherHeaders(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	for _, header := range []string{
		receiptHeader, `{"alg":"none","typ":"nightjar-record+jws"}`, `{"alg":"HS256","typ":"nightjar-record+jws"}`, `{"alg":"EdDSA"}`,
		`{"typ":"nightjar-record+jws","alg":"EdDSA"}`, recordHeader + " ", `{"alg":"EdDSA","typ":"nightjar-record+jws","jwk":{}}`, "",
	} {
		if _, err := Verify(pub, sign(testKey, header, []byte(goodRecord))); !errors.Is(err, ErrMalformed) {
			t.Errorf("header %s: %v", header, err)
		}
	}
}

// FuzzVerify signs what it is given, so that it gets behind the signature: what is accepted has one form only, and signing it
// again gives it.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(goodRecord))
	f.Add([]byte(strings.Replace(goodRecord, "front-door", "front\u2028door", 1)))
	f.Add([]byte(strings.Replace(goodRecord, `"free"`, `"\\u2028"`, 1)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		fuzzed(t, payload, recordHeader, Verify, Sign)
	})
}

// FuzzVerifyReceipt is FuzzVerify for receipts.
func FuzzVerifyReceipt(f *testing.F) {
	f.Add([]byte(goodReceipt))
	f.Fuzz(func(t *testing.T, payload []byte) {
		fuzzed(t, payload, receiptHeader, VerifyReceipt, SignReceipt)
	})
}

func fuzzed[S any](t *testing.T, payload []byte, header string,
	verify func(ed25519.PublicKey, []byte) (S, error), again func(ed25519.PrivateKey, S) ([]byte, error),
) {
	pub := testKey.Public().(ed25519.PublicKey)
	jws := sign(testKey, header, payload)
	s, err := verify(pub, jws)
	if err != nil {
		if !errors.Is(err, ErrMalformed) || !reflect.ValueOf(s).IsZero() {
			t.Fatalf("statement %v, error %v", s, err)
		}
		return
	}
	if twin, err := again(testKey, s); err != nil || string(twin) != string(jws) {
		t.Fatalf("signed again, %v:\n%s, want\n%s", err, twin, jws)
	}
	if _, err := verify(pub, payload); err == nil {
		t.Fatal("accepted without a signature")
	}
}
