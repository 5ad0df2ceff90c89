// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Owner is the secret that opens clips. It is 32 random bytes, which can be written as an age identity and as words on paper.
// It prints as its recipient. The zero value holds nothing.
type Owner struct {
	secret    func() [32]byte // in a closure, where fmt finds no bytes
	recipient string
	pq        bool
}

// NewOwner makes an owner: X25519, which every age opens, or hybrid post-quantum, which takes age 1.3 or later.
func NewOwner(pq bool) (Owner, error) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	return ownerOf(secret, pq)
}

// OwnerOfPhrase makes the owner whose [Owner.Phrase] it is. The error wraps [ErrPhrase] and quotes no word.
func OwnerOfPhrase(words string, pq bool) (Owner, error) {
	secret, err := parsePhrase(words)
	if err != nil {
		return Owner{}, err
	}
	return ownerOf(secret, pq)
}

func ownerOf(secret [32]byte, pq bool) (Owner, error) {
	o := Owner{secret: func() [32]byte { return secret }, pq: pq}
	if pq {
		identity, err := age.ParseHybridIdentity(o.identity())
		if err != nil {
			return Owner{}, errors.New("make identity: the post-quantum key is refused")
		}
		o.recipient = identity.Recipient().String()
		return o, nil
	}
	identity, err := age.ParseX25519Identity(o.identity())
	if err != nil {
		return Owner{}, errors.New("make identity: the key is refused")
	}
	o.recipient = identity.Recipient().String()
	return o, nil
}

// identity returns the secret as age writes it.
func (o Owner) identity() string {
	kind := "age-secret-key-"
	if o.pq {
		kind = "age-secret-key-pq-"
	}
	secret := o.secret()
	return strings.ToUpper(bech32(kind, secret[:]))
}

// Recipient is what cameras seal to.
func (o Owner) Recipient() string { return o.recipient }

// Phrase returns the secret as 24 words, for paper.
func (o Owner) Phrase() string { return phrase(o.secret()) }

// File returns the identity file, in the form of age-keygen.
func (o Owner) File(now time.Time) []byte {
	return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", now.Format(time.RFC3339), o.recipient, o.identity())
}

// String, Format, LogValue and MarshalText keep the secret out of logs.
func (o Owner) String() string               { return "owner " + o.recipient }
func (o Owner) Format(f fmt.State, _ rune)   { io.WriteString(f, o.String()) }
func (o Owner) LogValue() slog.Value         { return slog.StringValue(o.String()) }
func (o Owner) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// GenerateOwner makes an owner's X25519 identity, writes it to w in the form of age-keygen, and returns the recipient.
func GenerateOwner(w io.Writer, now time.Time) (recipient string, err error) {
	o, err := NewOwner(false)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(o.File(now)); err != nil {
		return "", fmt.Errorf("write identity: %w", err)
	}
	return o.recipient, nil
}

// maxWork bounds what a foreign file may ask of scrypt: 2^22 is some 16 s and 4 GiB. age itself writes 2^18.
const maxWork = 22

// Protect seals an identity file with a passphrase, armoured, as "age -p -a" does; age asks for the passphrase when it is given
// such a file with -i.
func Protect(file, passphrase []byte) ([]byte, error) { return protect(file, passphrase, 18) }

func protect(file, passphrase []byte, work int) ([]byte, error) {
	to, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, errors.New("protect identity: the passphrase is empty")
	}
	to.SetWorkFactor(work)
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, to)
	if err != nil {
		return nil, fmt.Errorf("protect identity: %w", err)
	}
	_, err = w.Write(file)
	if err := errors.Join(err, w.Close(), text.Close()); err != nil {
		return nil, fmt.Errorf("protect identity: %w", err)
	}
	return out.Bytes(), nil
}

// ErrPassphrase is returned when the passphrase does not open an identity file.
var ErrPassphrase = errors.New("the passphrase is wrong")

// ProtectedIdentities reads an identity file, and calls ask for the passphrase if it has one.
func ProtectedIdentities(file io.Reader, ask func() ([]byte, error)) ([]age.Identity, error) {
	plain, err := Unprotect(file, ask)
	if err != nil {
		return nil, err
	}
	return Identities(plain)
}

// Unprotect reads a file that [Protect] may have sealed, of at most 1 MiB, and calls ask for the passphrase if it was.
func Unprotect(file io.Reader, ask func() ([]byte, error)) (io.Reader, error) {
	in := bufio.NewReader(io.LimitReader(file, maxIdentityFile))
	var sealed io.Reader = in
	head, _ := in.Peek(len(armor.Header))
	switch {
	case string(head) == armor.Header:
		sealed = armor.NewReader(in)
	case !bytes.HasPrefix(head, []byte("age-encryption.org/")):
		return in, nil
	}
	passphrase, err := ask()
	if err != nil {
		return nil, err
	}
	by, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, ErrPassphrase // an empty one
	}
	by.SetMaxWorkFactor(maxWork)
	plain, err := age.Decrypt(sealed, by)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("open the identity file: %w", err)
	}
	return plain, nil
}

// bech32 encodes as BIP-173 says, without its limit of 90 characters; kind is in lower case. age can read this encoding, and has
// no function to write it.
func bech32(kind string, data []byte) string {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	var values []byte // of five bits
	bits, have := uint(0), 0
	for _, b := range data {
		bits, have = bits<<8|uint(b), have+8
		for ; have >= 5; have -= 5 {
			values = append(values, byte(bits>>(have-5))&31)
		}
	}
	if have > 0 {
		values = append(values, byte(bits<<(5-have))&31)
	}
	var expanded []byte
	for _, c := range []byte(kind) {
		expanded = append(expanded, c>>5)
	}
	expanded = append(expanded, 0)
	for _, c := range []byte(kind) {
		expanded = append(expanded, c&31)
	}
	sum := polymod(append(append(expanded, values...), 0, 0, 0, 0, 0, 0)) ^ 1
	for shift := 25; shift >= 0; shift -= 5 {
		values = append(values, byte(sum>>shift)&31)
	}
	for i, v := range values {
		values[i] = alphabet[v]
	}
	return kind + "1" + string(values)
}

func polymod(values []byte) uint32 {
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}
