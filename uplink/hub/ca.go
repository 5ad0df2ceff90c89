// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	// A spare waits for as long as its predecessor lives, and then has a life of its own.
	spareLifetime = 2 * caLifetime
	// backdate lets a board whose clock is a little behind use a new certificate at once.
	backdate = time.Hour
)

// An authority is the hub's certificate authority (RFC 5280), ECDSA P-256.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer

	next     *x509.Certificate // takes over at the next rotation; nil: there is no spare
	old      *x509.Certificate // of before the last rotation; nil: none
	oldUntil time.Time         // until then a camera may show a certificate of old
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

// A keyFile is one of a hub's folder.
type keyFile struct {
	name string
	text []byte
}

// makeKeys writes ca.crt last: a folder without it is begun again.
func makeKeys(dir string, names []string, now time.Time) error {
	ca, err := newAuthority(now, caLifetime)
	if err != nil {
		return err
	}
	template := &x509.Certificate{}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	files, err := serverFiles(ca, "hub", template, now)
	if err != nil {
		return err
	}
	_, receipt, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	spare, err := spareFiles(now)
	if err != nil {
		return err
	}
	own, err := keyFiles(map[string]crypto.Signer{"receipt.key": receipt, "ca.key": ca.key})
	if err != nil {
		return err
	}
	files = append(append(files, own...), spare...)
	return writeFiles(dir, append(files, keyFile{"ca.crt", pemCertificate(ca.cert.Raw)}))
}

// newAuthority makes a certificate authority that is valid for a span.
func newAuthority(now time.Time, lifetime time.Duration) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Nightjar hub CA"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
	}
	a := &authority{cert: root, key: key}
	der, err := a.issue(root, key.Public())
	if err != nil {
		return nil, err
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// serverFiles makes a server's key and certificate, NAME.key and NAME.crt, for [keys.HubName] and the names of template. They live
// as long as their CA.
func serverFiles(ca *authority, name string, template *x509.Certificate, now time.Time) ([]keyFile, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Clone(template.DNSNames), func(n string) bool { return n == keys.HubName })
	der, err := ca.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: keys.HubName},
		DNSNames:    append([]string{keys.HubName}, names...),
		IPAddresses: template.IPAddresses,
		NotBefore:   now.Add(-backdate),
		NotAfter:    ca.cert.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	if err != nil {
		return nil, err
	}
	files, err := keyFiles(map[string]crypto.Signer{name + ".key": key})
	return append(files, keyFile{name + ".crt", pemCertificate(der)}), err
}

// spareFiles makes what takes over at the next rotation; ca-next.crt comes last.
func spareFiles(now time.Time) ([]keyFile, error) {
	ca, err := newAuthority(now, spareLifetime)
	if err != nil {
		return nil, err
	}
	_, receipt, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	files, err := keyFiles(map[string]crypto.Signer{"receipt-next.key": receipt, "ca-next.key": ca.key})
	return append(files, keyFile{"ca-next.crt", pemCertificate(ca.cert.Raw)}), err
}

func keyFiles(all map[string]crypto.Signer) ([]keyFile, error) {
	var files []keyFile
	for name, key := range all {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		files = append(files, keyFile{name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})})
	}
	return files, nil
}

func pemCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func writeFiles(dir string, files []keyFile) error {
	for _, f := range files {
		if err := store.WriteFile(filepath.Join(dir, f.name), f.text); err != nil {
			return err
		}
	}
	return nil
}
