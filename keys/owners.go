// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// MaxOwners is how many command keys a camera knows.
const MaxOwners = 8

const (
	ownersFile   = "owners.pub"
	publicPrefix = "ed25519:"
)

// PublicText writes a public key as one word: "ed25519:" and its 32 bytes in unpadded base64url.
func PublicText(pub ed25519.PublicKey) string {
	return publicPrefix + base64.RawURLEncoding.EncodeToString(pub)
}

// ParsePublic reads what [PublicText] writes, and nothing else.
func ParsePublic(word string) (ed25519.PublicKey, error) {
	if text, ok := strings.CutPrefix(word, publicPrefix); ok && len(text) == base64.RawURLEncoding.EncodedLen(ed25519.PublicKeySize) {
		if pub, err := base64.RawURLEncoding.Strict().DecodeString(text); err == nil && len(pub) == ed25519.PublicKeySize {
			return pub, nil
		}
	}
	return nil, fmt.Errorf("%.20q is no public key: it is the word of 51 characters, from %s on, that `nightjarctl command keygen` printed",
		word, publicPrefix)
}

// Owners returns the keys whose commands are the owner's, none when nobody was set.
func (s *Store) Owners() ([]ed25519.PublicKey, error) {
	text, err := s.readRaw(ownersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var owners []ed25519.PublicKey
	if err == nil {
		owners, err = parseOwners(string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("read owners' keys: %w", err)
	}
	return owners, nil
}

func parseOwners(text string) (owners []ed25519.PublicKey, err error) {
	for line := range strings.Lines(text) {
		word := strings.TrimSuffix(line, "\n")
		if word == noOwner {
			continue
		}
		pub, err := ParsePublic(word)
		if err != nil {
			return nil, err
		}
		owners = append(owners, pub)
	}
	return owners, checkOwners(owners)
}

// noOwner is the first line of the file, which is never empty.
const noOwner = "# owners' command keys"

// SetOwners replaces the owners' keys. They are public, and lie open as the recipients do.
func (s *Store) SetOwners(owners []ed25519.PublicKey) error {
	text := noOwner + "\n"
	for _, pub := range owners {
		text += PublicText(pub) + "\n"
	}
	err := checkOwners(owners)
	if err == nil {
		err = s.write(ownersFile, []byte(text), os.Rename)
	}
	if err != nil {
		return fmt.Errorf("set owners' keys: %w", err)
	}
	return nil
}

func checkOwners(owners []ed25519.PublicKey) error {
	if len(owners) > MaxOwners {
		return fmt.Errorf("%d keys: at most %d are possible; remove one", len(owners), MaxOwners)
	}
	for i, pub := range owners {
		if len(pub) != ed25519.PublicKeySize {
			return fmt.Errorf("a key of %d bytes", len(pub))
		}
		if slices.ContainsFunc(owners[:i], func(other ed25519.PublicKey) bool { return other.Equal(pub) }) {
			return fmt.Errorf("key %s is there twice", Fingerprint(pub))
		}
	}
	return nil
}
