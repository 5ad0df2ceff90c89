// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// ErrInitialised says that a folder holds a hub already. Its keys are never written over: every
// enrolled device trusts them.
var ErrInitialised = errors.New("there is a hub here already")

// ErrNoHub says that a folder holds no hub.
var ErrNoHub = errors.New("no hub here: make one with `nightjar-hub init`")

const (
	// DeviceLifetime is how long a device's certificate is valid.
	DeviceLifetime = 60 * 24 * time.Hour

	caLifetime = 20 * 365 * 24 * time.Hour
	// backdate lets a board whose clock is a little behind use a new certificate at once.
	backdate = time.Hour
)

// An authority is the hub's certificate authority (RFC 5280), ECDSA P-256.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issueDevice certifies a device's TLS key. The subject of the request plays no part.
func (a *authority) issueDevice(device string, key crypto.PublicKey, now time.Time) ([]byte, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: device},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(DeviceLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
}

func (a *authority) issue(template *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate for %s: %w", template.Subject.CommonName, err)
	}
	return der, nil
}

// Init makes a hub in dir: a certificate authority, the server's certificate for [keys.HubName] and
// further names or IP addresses, and the key that signs receipts. A folder that holds a hub is left
// alone and the error wraps [ErrInitialised].
func Init(dir string, names []string) error {
	if _, err := os.Stat(filepath.Join(dir, "ca.crt")); err == nil {
		return fmt.Errorf("init hub in %s: %w", dir, ErrInitialised)
	}
	for _, d := range []string{dir, tokensDir(dir), filepath.Join(dir, "devices"), filepath.Join(dir, "incoming")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("init hub: %w", err)
		}
	}
	if err := makeKeys(dir, names, time.Now()); err != nil {
		return fmt.Errorf("init hub in %s: %w", dir, err)
	}
	return nil
}

// makeKeys writes ca.crt last: a folder without it is begun again.
func makeKeys(dir string, names []string, now time.Time) error {
	_, receipt, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	hubKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	root := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Nightjar hub CA"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
	}
	ca := &authority{cert: root, key: caKey}
	caDER, err := ca.issue(root, caKey.Public())
	if err != nil {
		return err
	}
	if ca.cert, err = x509.ParseCertificate(caDER); err != nil {
		return err
	}
	server := &x509.Certificate{
		Subject:     pkix.Name{CommonName: keys.HubName},
		DNSNames:    []string{keys.HubName},
		NotBefore:   root.NotBefore,
		NotAfter:    root.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, name)
		}
	}
	hubDER, err := ca.issue(server, hubKey.Public())
	if err != nil {
		return err
	}
	for _, key := range []struct {
		file string
		key  crypto.Signer
	}{{"receipt.key", receipt}, {"ca.key", caKey}, {"hub.key", hubKey}} {
		der, err := x509.MarshalPKCS8PrivateKey(key.key)
		if err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, key.file), "PRIVATE KEY", der); err != nil {
			return err
		}
	}
	if err := writePEM(filepath.Join(dir, "hub.crt"), "CERTIFICATE", hubDER); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", caDER)
}

func writePEM(path, kind string, der []byte) error {
	return store.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// loadKeys reads what Init made.
func (h *Hub) loadKeys() error {
	path := func(name string) string { return filepath.Join(h.cfg.Dir, name) }
	cert, err := loadCA(h.cfg.Dir)
	if err != nil {
		return err
	}
	caKey, err := loadKey[*ecdsa.PrivateKey](path("ca.key"))
	if err != nil {
		return err
	}
	if h.receipt, err = loadKey[ed25519.PrivateKey](path("receipt.key")); err != nil {
		return err
	}
	h.ca = &authority{cert: cert, key: caKey}
	if h.server, err = tls.LoadX509KeyPair(path("hub.crt"), path("hub.key")); err != nil {
		return fmt.Errorf("load the hub's certificate: %w", err)
	}
	// The root goes with the chain: a device that enrols knows it by its hash only.
	h.server.Certificate = append(h.server.Certificate, cert.Raw)
	return nil
}

func loadCA(dir string) (*x509.Certificate, error) {
	der, err := readPEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open hub in %s: %w", dir, ErrNoHub)
	}
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
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
