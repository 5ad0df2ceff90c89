// SPDX-License-Identifier: Apache-2.0

// Package sshsig makes and checks signatures as `ssh-keygen -Y sign` makes them (PROTOCOL.sshsig of OpenSSH), so that any
// laptop with OpenSSH can answer our challenge. [Parse] reads an armored block, [Signature.Verify] checks it; [Sign] makes one.
// Whose key it is, and whether that key counts, is for the caller to say.
package sshsig

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// MaxArmor bounds an armored signature, in bytes. One with a certificate of a 4096-bit RSA key has some 4 KiB.
const MaxArmor = 16 << 10

// The lines around a signature.
const (
	Begin = "-----BEGIN SSH SIGNATURE-----"
	End   = "-----END SSH SIGNATURE-----"
)

const (
	magic     = "SSHSIG"
	version   = 1
	lineWidth = 70   // of the armor, as OpenSSH writes it
	minRSA    = 2048 // bits
)

// Errors of Verify.
var (
	ErrNamespace = errors.New("the signature is for another purpose")
	ErrSignature = errors.New("the signature does not fit")
	ErrAlgorithm = errors.New("the signature's algorithm is too weak, or unknown")
)

// A Signature was read, and says nothing until it is verified.
type Signature struct {
	Key       ssh.PublicKey // a plain key or an [*ssh.Certificate]: it speaks for itself and for nobody yet
	Namespace string
	Hash      string // sha256 or sha512
	blob      ssh.Signature
}

// envelope is what is armored, after the magic.
type envelope struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// signed is what the key signs, after the magic.
type signed struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

// Parse reads an armored signature; lines may end with CRLF, and what is around the block must be blank.
func Parse(armor string) (*Signature, error) {
	if len(armor) > MaxArmor {
		return nil, fmt.Errorf("read signature: more than %d bytes", MaxArmor)
	}
	body, ok := strings.CutPrefix(strings.TrimSpace(armor), Begin)
	if ok {
		body, ok = strings.CutSuffix(body, End)
	}
	if !ok {
		return nil, errors.New("read signature: it must begin with " + Begin + " and end with " + End)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	if len(raw) < len(magic) || string(raw[:len(magic)]) != magic {
		return nil, errors.New("read signature: it is no SSH signature")
	}
	var e envelope
	if err := ssh.Unmarshal(raw[len(magic):], &e); err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	if e.Version != version {
		return nil, fmt.Errorf("read signature: version %d, this program knows %d", e.Version, version)
	}
	s := &Signature{Namespace: e.Namespace, Hash: e.Hash}
	if s.Key, err = ssh.ParsePublicKey(e.PublicKey); err != nil {
		return nil, fmt.Errorf("read signature: its key: %w", err)
	}
	if err := ssh.Unmarshal(e.Signature, &s.blob); err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	return s, nil
}

// Verify checks that the signature's key signed the message for the namespace.
func (s *Signature) Verify(message []byte, namespace string) error {
	if s.Namespace != namespace {
		return fmt.Errorf("%w: %.40q, not %q", ErrNamespace, s.Namespace, namespace)
	}
	data, err := toSign(message, namespace, s.Hash)
	if err != nil {
		return err
	}
	if err := Strong(s.Key, s.blob.Format); err != nil {
		return err
	}
	if err := s.Key.Verify(data, &s.blob); err != nil {
		return ErrSignature // the library's text tells a technician nothing more
	}
	return nil
}

// Strong returns an error for a signature format or a key that is weaker than we want: SHA-1, DSA, and RSA below 2048 bits.
// x/crypto would verify ssh-rsa, which is SHA-1.
func Strong(key ssh.PublicKey, format string) error {
	switch format {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
	default:
		return fmt.Errorf("%w: %.40q", ErrAlgorithm, format)
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	if c, ok := key.(ssh.CryptoPublicKey); ok {
		if r, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
			return fmt.Errorf("%w: RSA with %d bits, at least %d are needed", ErrAlgorithm, r.N.BitLen(), minRSA)
		}
	}
	return nil
}

// toSign returns the bytes that a key signs for a message.
func toSign(message []byte, namespace, hash string) ([]byte, error) {
	var digest []byte
	switch hash {
	case "sha512":
		sum := sha512.Sum512(message)
		digest = sum[:]
	case "sha256":
		sum := sha256.Sum256(message)
		digest = sum[:]
	default:
		return nil, fmt.Errorf("%w: hash %.20q", ErrAlgorithm, hash)
	}
	return append([]byte(magic), ssh.Marshal(signed{Namespace: namespace, Hash: hash, Digest: digest})...), nil
}

// Sign signs a message for a namespace and returns the armored block, as `ssh-keygen -Y sign -n namespace` would. RSA keys sign
// with SHA-512.
func Sign(signer ssh.Signer, message []byte, namespace string) (string, error) {
	const hash = "sha512"
	data, err := toSign(message, namespace, hash)
	if err != nil {
		return "", err
	}
	sig, err := sign(signer, data)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	raw := append([]byte(magic), ssh.Marshal(envelope{
		Version: version, PublicKey: signer.PublicKey().Marshal(), Namespace: namespace, Hash: hash, Signature: ssh.Marshal(*sig),
	})...)
	var b strings.Builder
	b.WriteString(Begin + "\n")
	for text := base64.StdEncoding.EncodeToString(raw); text != ""; {
		n := min(lineWidth, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString(End + "\n")
	return b.String(), nil
}

// sign asks an RSA key for SHA-512: by itself x/crypto would sign with SHA-1.
func sign(signer ssh.Signer, data []byte) (*ssh.Signature, error) {
	key := signer.PublicKey()
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	if a, ok := signer.(ssh.AlgorithmSigner); ok && key.Type() == ssh.KeyAlgoRSA {
		return a.SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSASHA512)
	}
	return signer.Sign(rand.Reader, data)
}

// ReadBlock collects a signature's lines from next, which returns one line at a time, until its end. ok is false for something
// else than a signature: an empty line, or too many bytes.
func ReadBlock(next func() (string, error)) (armor string, ok bool, err error) {
	var b strings.Builder
	for b.Len() <= MaxArmor {
		line, err := next()
		if err != nil {
			return "", false, err
		}
		line = strings.TrimSpace(line)
		if line == "" && b.Len() == 0 || b.Len() == 0 && line != Begin {
			return line, false, nil
		}
		b.WriteString(line + "\n")
		if line == End {
			return b.String(), true, nil
		}
	}
	return "", false, nil
}
