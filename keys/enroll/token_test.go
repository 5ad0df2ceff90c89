// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// testToken is a token with all bits in use.
func testToken() (t Token) {
	for i := range t.Secret {
		t.Secret[i] = byte(0xa0 + i)
	}
	for i := range t.CA {
		t.CA[i] = byte(7 * i)
	}
	return t
}

func TestTokenRoundTrip(t *testing.T) {
	for _, want := range []Token{{}, testToken()} {
		word := want.String()
		for _, typed := range []string{word, strings.ToUpper(word), " " + word + "\r\n"} {
			if got, err := ParseToken(typed); err != nil || got != want {
				t.Errorf("%q: got %s, %v", typed, got.String(), err)
			}
		}
	}
}

// A token on paper outlives a release. The word was made by Python's hashlib and base64.b32encode.
func TestTokenGolden(t *testing.T) {
	const want = "njt1ucq2fi5euwtkpkfjvkv2zlnov4aaodqvdqrsumjyh5de2vc3mjuxa536qwgjhgvbvcx3npoezpjnt4nokciq"
	if got := testToken().String(); got != want {
		t.Errorf("token %s, want %s", got, want)
	}
}

func TestTokenTypo(t *testing.T) {
	word := testToken().String()
	for i := range word {
		for _, c := range "a7b2-1 \n" {
			if typed := word[:i] + string(c) + word[i+1:]; typed != word {
				if got, err := ParseToken(typed); !errors.Is(err, ErrTokenTypo) || got != (Token{}) {
					t.Errorf("%q: got %s, %v", typed, got.String(), err)
				}
			}
		}
		if i > 0 && word[i] != word[i-1] {
			if swapped := word[:i-1] + word[i:i+1] + word[i-1:i] + word[i+1:]; !isTypo(swapped) {
				t.Errorf("%q was taken", swapped)
			}
		}
		if !isTypo(word[:i]) || !isTypo(word[i+1:]) || !isTypo(word[:i]+word[i+1:]) {
			t.Errorf("cut at %d: was taken", i)
		}
	}
	for _, typed := range []string{"", "njt1", word + "a", word + word, "njt2" + word[4:], strings.Repeat("x", 1<<20)} {
		if !isTypo(typed) {
			t.Errorf("%.100q was taken", typed)
		}
	}
}

func isTypo(word string) bool {
	_, err := ParseToken(word)
	return errors.Is(err, ErrTokenTypo)
}

func TestSecretIsNotPrinted(t *testing.T) {
	token, asking := testToken(), request()
	asking.Secret = token.Secret[:]
	for _, v := range []any{token, &token, struct{ T Token }{token}, asking, &asking} {
		if text := printed(v); showsSecret(text) || !strings.Contains(text, "enrolment ") {
			t.Errorf("%T is printed as\n%s", v, text)
		}
	}
	if !showsSecret(printed(token.Secret)) || !showsSecret(printed(token.String())) { // the search finds what is printed
		t.Error("a printed secret was not found")
	}
}

// printed returns v by every way that a log takes.
func printed(v any) string {
	var out bytes.Buffer
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "d", "x", "X"} {
		fmt.Fprintf(&out, "%"+verb+"\n", v)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("test", "value", v)
	}
	return out.String()
}

// showsSecret looks for a few of the token's bytes 0xa0, 0xa1, ... and for the word.
func showsSecret(text string) bool {
	text = strings.ToLower(text)
	for _, s := range []string{"160 161 162", "160,161,162", "a0a1a2", "0xa0, 0xa1, 0xa2", "oKGio", testToken().String()[:20]} {
		if strings.Contains(text, strings.ToLower(s)) {
			return true
		}
	}
	return false
}

// FuzzParseToken checks that each token has one spelling, but for case and white space around it.
func FuzzParseToken(f *testing.F) {
	f.Add(testToken().String())
	f.Add(strings.ToUpper(Token{}.String()))
	f.Fuzz(func(t *testing.T, word string) {
		token, err := ParseToken(word)
		if err == nil && token.String() != strings.ToLower(strings.TrimSpace(word)) {
			t.Fatalf("%q is read as %s", word, token.String())
		}
		if err != nil && !errors.Is(err, ErrTokenTypo) {
			t.Fatal(err)
		}
	})
}
