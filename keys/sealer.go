// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
)

// Sealer closes what a store holds to a secret that is not on the store's disk. Its methods may be called from any goroutine.
type Sealer interface {
	Name() string // of the secret's place, for people
	// Seal closes the content of the file name; what it returns opens as no other file.
	Seal(name string, plain []byte) ([]byte, error)
	Unseal(name string, sealed []byte) ([]byte, error)
}

// permissions is the protection of a store without a sealer.
const permissions = "file permissions"

// sealedMark is how a sealed file begins. No PEM and no JSON does.
const sealedMark = "nightjar-sealed-v1\n"

// ErrSealed is returned for a store that was sealed to another board, or to one that does not give its secret now.
var ErrSealed = errors.New("these keys are sealed to a board's secret that is not to be had here: was the card moved to another board, " +
	"or has its kernel no /dev/vcio? Enrol this board with a new token and an empty state folder")

// NewSealer seals with AES-256-GCM under a key derived from secret, of 16 bytes or more, by HKDF-SHA256 (RFC 5869).
func NewSealer(name string, secret []byte) (Sealer, error) {
	if len(secret) < 16 {
		return nil, fmt.Errorf("seal keys to %s: a secret of %d bytes", name, len(secret))
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "nightjar key store v1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &derived{name, func() cipher.AEAD { return aead }}, nil
}

// derived prints as its name, and holds the key in a closure, where fmt finds none.
type derived struct {
	name string
	aead func() cipher.AEAD
}

func (d *derived) Name() string                 { return d.name }
func (d *derived) Format(f fmt.State, _ rune)   { io.WriteString(f, "sealer "+d.name) }
func (d *derived) LogValue() slog.Value         { return slog.StringValue("sealer " + d.name) }
func (d *derived) MarshalText() ([]byte, error) { return []byte("sealer " + d.name), nil }

func (d *derived) Seal(name string, plain []byte) ([]byte, error) {
	return d.aead().Seal(nil, nil, plain, []byte(name)), nil
}

func (d *derived) Unseal(name string, sealed []byte) ([]byte, error) {
	return d.aead().Open(nil, nil, sealed, []byte(name))
}

// OpenSealedStore is [OpenStore] for a board with a secret: private keys are sealed to it. Those that lie there in the clear are
// sealed now, but a flash card may hold on to their old blocks.
func OpenSealedStore(dir string, by Sealer) (*Store, error) {
	s, err := OpenStore(dir)
	if err != nil {
		return nil, err
	}
	s.sealer = by
	for _, name := range []string{identityFile, credentialFile} {
		if err := s.sealPlain(name); err != nil {
			return nil, fmt.Errorf("open key store: seal %s: %w", name, err)
		}
	}
	return s, nil
}

func (s *Store) sealPlain(name string) error {
	b, err := s.readRaw(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.HasPrefix(b, []byte(sealedMark)) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.writeSecret(name, b, os.Rename)
}

// Protection says what keeps the private keys on the disk from who has the disk: the sealer's name, or file permissions.
func (s *Store) Protection() string {
	if s.sealer == nil {
		return permissions
	}
	return s.sealer.Name()
}

// readSecret reads a file that may be sealed.
func (s *Store) readSecret(name string) ([]byte, error) {
	b, err := s.readRaw(name)
	if err != nil {
		return nil, err
	}
	sealed, ok := bytes.CutPrefix(b, []byte(sealedMark))
	if !ok {
		return b, nil
	}
	if s.sealer == nil {
		return nil, ErrSealed
	}
	plain, err := s.sealer.Unseal(name, sealed)
	if err != nil {
		return nil, ErrSealed // what the cipher says helps nobody
	}
	return plain, nil
}

// writeSecret seals what it writes if there is something to seal to.
func (s *Store) writeSecret(name string, plain []byte, place func(from, to string) error) error {
	if s.sealer == nil {
		return s.write(name, plain, place)
	}
	sealed, err := s.sealer.Seal(name, plain)
	if err != nil {
		return err
	}
	return s.write(name, append([]byte(sealedMark), sealed...), place)
}
