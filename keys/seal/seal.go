// SPDX-License-Identifier: Apache-2.0

// Package seal closes data to the owner's keys, in the age format (https://age-encryption.org/v1), so that stock age opens
// it. Start with [Recipients] and [NewWriter] to seal, [Identities] and [Open] to open; [Details] is what is sealed beside a
// clip. Memory does not depend on the length of the data.
//
// age proves that the data was not changed, not who sealed it: package record signs the hash of what is sealed here.
package seal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// maxRecipients bounds a recipients file: each recipient adds a stanza to every clip.
const (
	maxRecipients = 20
	maxLine       = 8 << 10 // a hybrid post-quantum recipient has about 2 KiB
)

// Recipients reads one age recipient a line: X25519 (age1...) or hybrid post-quantum (age1pq...). Empty lines and those that
// begin with # are left out. It refuses a text without a recipient: nobody could open what is sealed to it.
func Recipients(lines io.Reader) ([]age.Recipient, error) {
	var all []age.Recipient
	scan := bufio.NewScanner(lines)
	scan.Buffer(nil, maxLine)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		// No line is quoted: it could be a part of a secret key.
		if strings.Contains(strings.ToUpper(line), "AGE-") {
			return nil, fmt.Errorf("recipients, line %d: this is an identity, the secret half: give the line after \"# public key:\" instead", n)
		}
		parsed, err := age.ParseRecipients(strings.NewReader(line))
		if err != nil {
			return nil, fmt.Errorf("recipients, line %d: not an age recipient (age1...)", n)
		}
		if all = append(all, parsed...); len(all) > maxRecipients {
			return nil, fmt.Errorf("recipients: more than %d", maxRecipients)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("recipients: %w", err)
	}
	if len(all) == 0 {
		return nil, errors.New("recipients: there is none: give at least one age public key (age1...)")
	}
	if err := together(all); err != nil {
		return nil, err
	}
	return all, nil
}

// together refuses what age would refuse when the first clip is sealed.
func together(all []age.Recipient) error {
	pq := 0
	for _, r := range all {
		if _, ok := r.(*age.HybridRecipient); ok {
			pq++
		}
	}
	if pq > 0 && pq < len(all) {
		return errors.New("recipients: post-quantum (age1pq...) and classic ones (age1...) cannot be mixed: a clip is only as safe as its " +
			"weakest recipient; give either kind only")
	}
	if _, err := age.Encrypt(io.Discard, all...); err != nil {
		return fmt.Errorf("recipients do not go together: %w", err)
	}
	return nil
}

// maxIdentityFile bounds what is read of an identity file, in bytes.
const maxIdentityFile = 1 << 20

// NewWriter seals what is written to it into dst. Close finishes the seal and leaves dst open; without it the last 64 KiB
// cannot be opened. One goroutine uses it.
func NewWriter(dst io.Writer, recipients []age.Recipient) (io.WriteCloser, error) {
	w, err := age.Encrypt(dst, recipients...)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return w, nil
}

// Identities reads an identity file as age-keygen writes it.
func Identities(file io.Reader) ([]age.Identity, error) {
	all, err := age.ParseIdentities(io.LimitReader(file, maxIdentityFile))
	if err != nil {
		return nil, errors.New("not an age identity file: it has lines that begin with AGE-SECRET-KEY- and comments")
	}
	return all, nil
}

// Open returns the plain data of src. A change anywhere in src is an error of Open or of a read, before any changed byte is given out.
func Open(src io.Reader, identities []age.Identity) (io.Reader, error) {
	r, err := age.Decrypt(src, identities...)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		return nil, errors.New("sealed to other recipients: none of these identities opens it")
	}
	if err != nil {
		return nil, fmt.Errorf("open seal: %w", err)
	}
	return r, nil
}
