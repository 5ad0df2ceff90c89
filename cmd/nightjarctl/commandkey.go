// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

// makeCommandKey returns a new key that signs commands, as PKCS #8 in PEM.
func makeCommandKey() (pub ed25519.PublicKey, text []byte, err error) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pub, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// commandKey reads the key that signs commands, and asks for its passphrase if it has one.
func (k *ownerKey) commandKey() (ed25519.PrivateKey, error) {
	f, err := os.Open(k.file)
	if err != nil {
		return nil, fmt.Errorf("read command key: %w", err)
	}
	defer f.Close()
	plain, err := seal.Unprotect(f, k.ask)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(plain)
	}
	if err != nil {
		return nil, fmt.Errorf("read command key %s: %w", k.file, err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read command key: %s is no key of `nightjarctl command keygen`: it is not PEM", k.file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok { // the parser's error could quote the key
		return nil, fmt.Errorf("read command key: %s is no Ed25519 key of `nightjarctl command keygen`", k.file)
	}
	return private, nil
}

// numbers are the numbers of a key's last commands, by camera, in a file beside the key. A camera obeys a number once, and none
// that is lower than one it has seen from this key.
type numbers struct {
	path string
	last map[string]uint64
}

const maxNumbers = 1 << 20 // bytes of the file

func openNumbers(key string) (*numbers, error) {
	n := &numbers{path: key + ".numbers", last: map[string]uint64{}}
	f, err := os.Open(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the numbers of commands: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxNumbers))
	if err == nil {
		err = json.Unmarshal(text, &n.last)
	}
	if err != nil {
		return nil, fmt.Errorf("read the numbers of commands: %s: %w (remove it: numbers follow the clock, too)", n.path, err)
	}
	return n, nil
}

// next returns a number that was not used for the camera, above the given one, and keeps it. It grows with time, so that it does
// also when the file is lost, or the key is used on another computer.
func (n *numbers) next(device string, above uint64, now time.Time) (uint64, error) {
	if err := keys.ValidDevice(device); err != nil {
		return 0, err
	}
	seq := max(uint64(max(now.UnixMilli(), 1)), n.last[device]+1, above+1)
	n.last[device] = seq
	text, err := json.MarshalIndent(n.last, "", "  ")
	if err == nil {
		err = replace(n.path, func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err })
	}
	if err != nil {
		return 0, fmt.Errorf("keep the number of the command: %w", err)
	}
	return seq, nil
}
