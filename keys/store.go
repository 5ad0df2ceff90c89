// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files of a store.
const (
	identityFile   = "identity.key"    // PKCS #8, PEM
	credentialFile = "credential.json" // one file, so that certificate, key and hub change together or not at all
	recipientsFile = "recipients.txt"  // as age reads it
)

// maxFile bounds what is read from a store, in bytes.
const maxFile = 64 << 10

// Store is a folder that only its owner may read. Its files are replaced as a whole and are durable when a method returns.
// It may be used from several processes.
type Store struct {
	dir    string
	sync   func(*os.File) error // (*os.File).Sync, but in tests
	sealer Sealer               // nil: file permissions are all there is
}

// OpenStore makes the folder if it is missing, and refuses one that others may enter.
func OpenStore(dir string) (*Store, error) {
	s := &Store{dir: filepath.Clean(dir), sync: (*os.File).Sync}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open key store: %w", err)
	}
	return s, nil
}

func (s *Store) open() error {
	info, err := os.Stat(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return err
		}
		if err := s.syncDir(filepath.Dir(s.dir)); err != nil {
			return err
		}
		info, err = os.Stat(s.dir)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", s.dir)
	}
	if err := private(s.dir, info); err != nil {
		return err
	}
	return s.clear()
}

// clear removes what a cut left half written: it holds keys. A file of this hour may be another process' at work.
func (s *Store) clear() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), ".") || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// private refuses a file or folder that group or others have any right to.
func private(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s has mode %#o and is open to others: run `chmod go= %s`, and enrol anew if somebody may have read it", path, mode, path)
	}
	return nil
}

// Identity returns the device's identity and makes it on first use; of several processes that do so at once, all get the same.
func (s *Store) Identity() (Identity, error) {
	pemKey, err := s.readSecret(identityFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.makeIdentity(); err != nil && !errors.Is(err, fs.ErrExist) {
			return Identity{}, fmt.Errorf("make identity: %w", err)
		}
		pemKey, err = s.readSecret(identityFile) // ours, or that of a process that was first
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read identity: %w", err)
	}
	return parseIdentity(pemKey)
}

func (s *Store) makeIdentity() error {
	identity, err := NewIdentity()
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(identity.Key())
	if err != nil {
		return err
	}
	return s.writeSecret(identityFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), os.Link)
}

func parseIdentity(pemKey []byte) (Identity, error) {
	block, _ := pem.Decode(pemKey)
	if block == nil {
		return Identity{}, fmt.Errorf("read identity: %s is not PEM", identityFile)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Identity{}, fmt.Errorf("read identity: %w", err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return Identity{}, fmt.Errorf("read identity: %s holds a %T, not an Ed25519 key", identityFile, key)
	}
	return holding(private), nil
}

// credentialJSON is a credential on disk; binary fields are DER.
type credentialJSON struct {
	Device      string `json:"device"`
	Hub         string `json:"hub"`
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"` // PKCS #8
	CA          []byte `json:"ca"`
	ReceiptKey  []byte `json:"receipt_key"`
	MQTT        string `json:"mqtt,omitempty"`

	NextCA         []byte `json:"next_ca,omitempty"`
	NextReceiptKey []byte `json:"next_receipt_key,omitempty"`
}

// SaveCredential replaces the credential.
func (s *Store) SaveCredential(c Credential) error { return s.saveCredential(c, os.Rename) }

func (s *Store) saveCredential(c Credential, place func(from, to string) error) error {
	key, err := x509.MarshalPKCS8PrivateKey(c.TLS.PrivateKey)
	if err != nil {
		return fmt.Errorf("save credential: %w", err)
	}
	j := credentialJSON{Device: c.Device, Hub: c.Hub, Certificate: c.TLS.Certificate[0], Key: key, CA: c.CA.Raw, ReceiptKey: c.ReceiptKey,
		MQTT: c.MQTT, NextReceiptKey: c.NextReceiptKey}
	if c.NextCA != nil {
		j.NextCA = c.NextCA.Raw
	}
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("save credential: %w", err)
	}
	if err := s.writeSecret(credentialFile, text, place); err != nil {
		return fmt.Errorf("save credential: %w", err)
	}
	return nil
}

// Credential returns what enrolment gave, or [ErrNotEnrolled].
func (s *Store) Credential() (Credential, error) {
	text, err := s.readSecret(credentialFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Credential{}, ErrNotEnrolled
	}
	if err != nil {
		return Credential{}, fmt.Errorf("read credential: %w", err)
	}
	c, err := parseCredential(text)
	if err != nil {
		return Credential{}, fmt.Errorf("read credential %s: %w", filepath.Join(s.dir, credentialFile), err)
	}
	return c, nil
}

func parseCredential(text []byte) (Credential, error) {
	var j credentialJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return Credential{}, err
	}
	if err := ValidDevice(j.Device); err != nil {
		return Credential{}, err
	}
	key, err := x509.ParsePKCS8PrivateKey(j.Key)
	if err != nil {
		return Credential{}, errors.New("private key is damaged") // the parser's error could quote it
	}
	leaf, err := x509.ParseCertificate(j.Certificate)
	if err != nil {
		return Credential{}, fmt.Errorf("certificate: %w", err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(leaf.PublicKey) {
		return Credential{}, errors.New("private key is not the certificate's")
	}
	ca, err := x509.ParseCertificate(j.CA)
	if err != nil {
		return Credential{}, fmt.Errorf("CA: %w", err)
	}
	if len(j.ReceiptKey) != ed25519.PublicKeySize {
		return Credential{}, fmt.Errorf("receipt key of %d bytes", len(j.ReceiptKey))
	}
	c := Credential{
		Device:     j.Device,
		TLS:        tls.Certificate{Certificate: [][]byte{j.Certificate}, PrivateKey: signer, Leaf: leaf},
		CA:         ca,
		ReceiptKey: j.ReceiptKey,
		Hub:        j.Hub,
		MQTT:       j.MQTT,
	}
	return c, c.SetNext(j.NextCA, j.NextReceiptKey)
}

// Recipients returns the recipients file. It is an error wrapping fs.ErrNotExist when nobody was set yet.
func (s *Store) Recipients() ([]byte, error) {
	text, err := s.readRaw(recipientsFile)
	if err != nil {
		return nil, fmt.Errorf("read recipients: %w", err)
	}
	return text, nil
}

// SetRecipients replaces the recipients file. Package seal checks its lines.
func (s *Store) SetRecipients(lines []byte) error {
	if len(lines) > maxFile {
		return fmt.Errorf("set recipients: %d bytes, more than %d", len(lines), maxFile)
	}
	if err := s.write(recipientsFile, lines, os.Rename); err != nil {
		return fmt.Errorf("set recipients: %w", err)
	}
	return nil
}

func (s *Store) readRaw(name string) ([]byte, error) {
	path := filepath.Join(s.dir, name)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := private(path, info); err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), maxFile)
	}
	b := make([]byte, info.Size())
	_, err = f.ReadAt(b, 0)
	if len(b) == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	return b, err
}

// write makes the file durable under a temporary name and puts it in place: by os.Rename, or by os.Link, which
// fails with fs.ErrExist instead of replacing. Without the folder's own fsync a power cut could undo the name.
func (s *Store) write(name string, text []byte, place func(from, to string) error) error {
	f, err := os.CreateTemp(s.dir, "."+name+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // what a rename moved is not there any more
	_, err = f.Write(text)
	if err := errors.Join(err, s.sync(f), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), filepath.Join(s.dir, name)); err != nil {
		return err
	}
	return s.syncDir(s.dir)
}

func (s *Store) syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s.sync(dir), dir.Close())
}
