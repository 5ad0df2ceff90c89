// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// loadKeys reads what Init made, or the last rotation.
func (h *Hub) loadKeys() error {
	if err := finishRotation(h.cfg.Dir); err != nil {
		return err
	}
	return h.readKeys()
}

func (h *Hub) readKeys() error {
	path := func(name string) string { return filepath.Join(h.cfg.Dir, name) }
	cert, err := loadCA(h.cfg.Dir)
	if err != nil {
		return err
	}
	caKey, err := loadKey[*ecdsa.PrivateKey](path("ca.key"))
	if err != nil {
		return err
	}
	if !caKey.PublicKey.Equal(cert.PublicKey) {
		return fmt.Errorf("load CA: %s is not the key of %s", path("ca.key"), path("ca.crt"))
	}
	h.ca = &authority{cert: cert, key: caKey}
	if h.receipt, err = loadKey[ed25519.PrivateKey](path("receipt.key")); err != nil {
		return err
	}
	if h.server, err = tls.LoadX509KeyPair(path("hub.crt"), path("hub.key")); err != nil {
		return fmt.Errorf("load the hub's certificate: %w", err)
	}
	if err := h.server.Leaf.CheckSignatureFrom(cert); err != nil {
		return fmt.Errorf("load keys: the hub's certificate is not of its authority: %w", err)
	}
	// The root goes with the chain: a device that enrols knows it by its hash only.
	h.server.Certificate = append(h.server.Certificate, cert.Raw)
	return h.readSpares()
}

// readSpares reads what a hub of an older release does not have. The spare CA's key may lie elsewhere until it is needed.
func (h *Hub) readSpares() (err error) {
	if h.ca.next, err = optional(loadCertificate(filepath.Join(h.cfg.Dir, "ca-next.crt"))); err != nil {
		return err
	}
	if h.ca.old, err = optional(loadCertificate(filepath.Join(h.cfg.Dir, "ca-old.crt"))); err != nil {
		return err
	}
	h.ca.oldUntil = h.server.Leaf.NotBefore.Add(backdate + DeviceLifetime) // made by the rotation
	next, err := optional(loadKey[ed25519.PrivateKey](filepath.Join(h.cfg.Dir, "receipt-next.key")))
	if err == nil && next != nil {
		h.nextReceipt = next.Public().(ed25519.PublicKey)
	}
	return err
}

// optional takes a missing file for nothing.
func optional[V any](v V, err error) (V, error) {
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return v, err
}

func loadCA(dir string) (*x509.Certificate, error) {
	cert, err := loadCertificate(filepath.Join(dir, "ca.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open hub in %s: %w", dir, ErrNoHub)
	}
	return cert, err
}

func loadCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("load CA %s: %w", path, err)
	}
	return cert, nil
}

func loadKey[K crypto.Signer](path string) (key K, err error) {
	der, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return key, fmt.Errorf("load key: %w", err)
	}
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return key, fmt.Errorf("load key %s: %w", path, err)
	}
	key, ok := any.(K)
	if !ok {
		return key, fmt.Errorf("load key %s: it is a %T", path, any)
	}
	return key, nil
}

func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no %s", path, kind)
	}
	return block.Bytes, nil
}
