// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// The list is the one that every other program has: the digest is that of bip-0039/english.txt.
func TestWordList(t *testing.T) {
	if sum := sha256.Sum256([]byte(wordList)); hex.EncodeToString(sum[:]) != "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda" {
		t.Errorf("SHA-256 %x", sum)
	}
}

// Vectors of BIP-39 with 256 bits.
func TestPhraseVectors(t *testing.T) {
	for entropy, want := range map[string]string{
		strings.Repeat("00", 32): strings.Repeat("abandon ", 23) + "art",
		strings.Repeat("7f", 32): "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title",
		strings.Repeat("80", 32): "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless",
		strings.Repeat("ff", 32): strings.Repeat("zoo ", 23) + "vote",
	} {
		b, err := hex.DecodeString(entropy)
		if err != nil {
			t.Fatal(err)
		}
		if got := phrase([32]byte(b)); got != want {
			t.Errorf("%s: %q, want %q", entropy, got, want)
		}
		if got, err := parsePhrase(want); err != nil || got != [32]byte(b) {
			t.Errorf("%s: read as %x, %v", entropy, got, err)
		}
	}
}

// The paper gives the same identity back, however it was copied.
func TestOwnerFromPaper(t *testing.T) {
	for _, pq := range []bool{false, true} {
		o, err := NewOwner(pq)
		if err != nil {
			t.Fatal(err)
		}
		var short []string
		for _, w := range strings.Fields(o.Phrase()) {
			short = append(short, w[:min(4, len(w))])
		}
		for _, words := range []string{o.Phrase(), strings.ToUpper(o.Phrase()), strings.ReplaceAll(o.Phrase(), " ", "\n\t"), strings.Join(short, " ")} {
			again, err := OwnerOfPhrase(words, pq)
			if err != nil || !bytes.Equal(again.File(time.Time{}), o.File(time.Time{})) {
				t.Errorf("post-quantum %t: another identity, %v", pq, err)
			}
		}
		// What is sealed to the recipient opens with the file, by age's own reading of both.
		to, err := Recipients(strings.NewReader(o.Recipient()))
		if err != nil {
			t.Fatal(err)
		}
		var sealed bytes.Buffer
		w, err := NewWriter(&sealed, to)
		if err == nil {
			_, err = io.WriteString(w, "film")
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		identities, err := Identities(bytes.NewReader(o.File(time.Now())))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(&sealed, identities)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != "film" {
			t.Errorf("opened %q, %v", b, err)
		}
	}
}

// age writes an identity with an encoder that it does not export; ours writes the same.
func TestBech32IsThatOfAge(t *testing.T) {
	for range 100 {
		o, err := NewOwner(false)
		if err != nil {
			t.Fatal(err)
		}
		identity, err := age.ParseX25519Identity(o.identity())
		if err != nil || identity.String() != o.identity() || identity.Recipient().String() != o.Recipient() {
			t.Fatalf("age reads it as another, %v", err)
		}
	}
}

func TestWrongPhrases(t *testing.T) {
	good := strings.Fields(phrase([32]byte{1, 2, 3, 4, 5, 6, 7}))
	change := func(f func(w []string)) string {
		w := append([]string(nil), good...)
		f(w)
		return strings.Join(w, " ")
	}
	for name, test := range map[string]struct{ words, want string }{
		"23 words":    {strings.Join(good[1:], " "), "23 words"},
		"25 words":    {strings.Join(append(good, "zoo"), " "), "25 words"},
		"unknown":     {change(func(w []string) { w[6] = "nightjar" }), "word 7 "},
		"too short":   {change(func(w []string) { w[6] = "abs" }), "word 7 "},
		"beyond":      {change(func(w []string) { w[6] = "zzzz" }), "word 7 "},
		"exchanged":   {change(func(w []string) { w[0], w[1] = w[1], w[0] }), "do not fit together"},
		"other word":  {change(func(w []string) { w[23] = "zoo" }), "do not fit together"},
		"none at all": {"", "0 words"},
	} {
		_, err := OwnerOfPhrase(test.words, false)
		if !errors.Is(err, ErrPhrase) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "nightjar ") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func FuzzPhrase(f *testing.F) {
	f.Add(phrase([32]byte{1}))
	f.Add(strings.Repeat("abandon ", 24))
	f.Add("zoo")
	f.Fuzz(func(t *testing.T, words string) {
		secret, err := parsePhrase(words)
		if err != nil {
			return
		}
		if again, err := parsePhrase(phrase(secret)); err != nil || again != secret {
			t.Errorf("%q is %x and then %x, %v", words, secret, again, err)
		}
	})
}

func TestProtectedIdentities(t *testing.T) {
	o, err := NewOwner(false)
	if err != nil {
		t.Fatal(err)
	}
	armored, err := protect(o.File(time.Now()), []byte("correct horse"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(armored), "AGE-SECRET") {
		t.Error("the secret shows")
	}
	binary, err := io.ReadAll(armor.NewReader(bytes.NewReader(armored)))
	if err != nil {
		t.Fatal(err)
	}
	heavy := bytes.Replace(binary, []byte(" 10\n"), []byte(" 40\n"), 1)
	for name, test := range map[string]struct {
		file       []byte
		passphrase string
		err        error // nil: any
		asked      bool
		good       bool
	}{
		"armoured":          {armored, "correct horse", nil, true, true},
		"binary":            {binary, "correct horse", nil, true, true},
		"plain":             {o.File(time.Now()), "", nil, false, true},
		"wrong":             {armored, "wrong", ErrPassphrase, true, false},
		"empty":             {armored, "", ErrPassphrase, true, false},
		"cut off":           {armored[:len(armored)-50], "correct horse", nil, true, false},
		"days of work":      {heavy, "correct horse", nil, true, false},
		"not even a header": {[]byte("hello"), "", nil, false, false},
	} {
		asked := false
		all, err := ProtectedIdentities(bytes.NewReader(test.file), func() ([]byte, error) { asked = true; return []byte(test.passphrase), nil })
		if (err == nil) != test.good || test.err != nil && !errors.Is(err, test.err) || asked != test.asked || test.good && len(all) != 1 {
			t.Errorf("%s: %d identities, %v, asked: %t", name, len(all), err, asked)
		}
	}
	if _, err := Protect(nil, nil); err == nil {
		t.Error("an empty passphrase protects")
	}
}

func TestMixedRecipients(t *testing.T) {
	classic, err := NewOwner(false)
	if err != nil {
		t.Fatal(err)
	}
	pq, err := NewOwner(true)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := Recipients(strings.NewReader(pq.Recipient() + "\n" + pq.Recipient())); err != nil || len(all) != 2 {
		t.Errorf("post-quantum alone: %d, %v", len(all), err)
	}
	_, err = Recipients(strings.NewReader(pq.Recipient() + "\n" + classic.Recipient()))
	if err == nil || !strings.Contains(err.Error(), "cannot be mixed") || !strings.Contains(err.Error(), "either kind only") {
		t.Errorf("mixed: %v", err)
	}
}

func TestOwnerIsNotPrinted(t *testing.T) {
	o, err := NewOwner(false)
	if err != nil {
		t.Fatal(err)
	}
	secret := o.secret()
	var out bytes.Buffer
	type hidden struct{ o Owner }
	for _, v := range []any{o, &o, hidden{o}, []Owner{o}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, format+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ToLower(out.String())
	for _, s := range []string{hex.EncodeToString(secret[4:12]), strings.ToLower(o.identity())[20:40], strings.Trim(fmt.Sprint(secret[4:8]), "[]"), o.Phrase()[:20]} {
		if strings.Contains(text, s) {
			t.Errorf("shows %q", s)
		}
	}
	if !strings.Contains(text, o.Recipient()) {
		t.Error("does not show the recipient either")
	}
}
