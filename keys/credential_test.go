// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys"
)

// hub is a CA that certifies a server and cameras.
type hub struct {
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

func newHub(t *testing.T) hub {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	return hub{ca: certify(t, template, template, key, key), key: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certify(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (h hub) issue(t *testing.T, name string, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key := newKey(t)
	cert := certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, h.ca, key, h.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (h hub) credential(t *testing.T) keys.Credential {
	t.Helper()
	receipts, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Credential{
		Device: "front-door", TLS: h.issue(t, "front-door", x509.ExtKeyUsageClientAuth), CA: h.ca, ReceiptKey: receipts, Hub: "hub.local:8883",
	}
}

func pemKey(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestCredentialRoundTrip(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "keys"))
	if _, err := s.Credential(); !errors.Is(err, keys.ErrNotEnrolled) {
		t.Errorf("before enrolment: %v", err)
	}
	want := newHub(t).credential(t)
	want.MQTT = "broker.lan:8883"
	if err := s.SaveCredential(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Credential()
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.Comparer((*x509.Certificate).Equal), cmp.Comparer(func(a, b *ecdsa.PrivateKey) bool { return a.Equal(b) })}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("credential (-want +got):\n%s", diff)
	}
}

func TestSaveCredentialRefusesAnUnknownKey(t *testing.T) {
	c := newHub(t).credential(t)
	c.TLS.PrivateKey = "no key"
	if err := open(t, filepath.Join(t.TempDir(), "keys")).SaveCredential(c); err == nil {
		t.Error("a text was saved as a private key")
	}
}

func TestDamagedCredential(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s := open(t, dir)
	if err := s.SaveCredential(newHub(t).credential(t)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "credential.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := x509.MarshalPKCS8PrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(fields map[string]any){
		"device":      func(f map[string]any) { f["device"] = "../etc" },
		"key":         func(f map[string]any) { f["key"] = "AAAA" },
		"other key":   func(f map[string]any) { f["key"] = otherKey },
		"certificate": func(f map[string]any) { f["certificate"] = "AAAA" },
		"CA":          func(f map[string]any) { delete(f, "ca") },
		"receipt key": func(f map[string]any) { f["receipt_key"] = "AAAA" },
		"type":        func(f map[string]any) { f["hub"] = 7 },
	} {
		var fields map[string]any
		if err := json.Unmarshal(good, &fields); err != nil {
			t.Fatal(err)
		}
		damage(fields)
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Credential(); err == nil || errors.Is(err, keys.ErrNotEnrolled) {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
	}
	if err := os.WriteFile(path, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Credential(); err == nil {
		t.Errorf("cut in half: got %v", c)
	}
}

func TestClientTLS(t *testing.T) {
	ours, foreign := newHub(t), newHub(t)
	server := func(h hub, name string) *tls.Config {
		pool := x509.NewCertPool()
		pool.AddCert(ours.ca)
		return &tls.Config{
			Certificates: []tls.Certificate{h.issue(t, name, x509.ExtKeyUsageServerAuth)},
			ClientCAs:    pool, ClientAuth: tls.RequireAndVerifyClientCert,
		}
	}
	old := server(ours, keys.HubName)
	old.MaxVersion = tls.VersionTLS12
	for name, test := range map[string]struct {
		server *tls.Config
		good   bool
	}{
		"our hub":    {server(ours, keys.HubName), true},
		"other CA":   {server(foreign, keys.HubName), false},
		"other name": {server(ours, "example.org"), false},
		"TLS 1.2":    {old, false},
	} {
		device, err := reach(t, test.server, ours.credential(t).ClientTLS())
		if test.good && (err != nil || device != "front-door") || !test.good && err == nil {
			t.Errorf("%s: server saw %q, error %v", name, device, err)
		}
	}
}

// A board that was just switched on thinks that it is 2000, as the bubble's clock does.
func TestClientTLSWithAnUnsetClock(t *testing.T) {
	hub, now := newHub(t), time.Now()
	pool := x509.NewCertPool()
	pool.AddCert(hub.ca)
	server := &tls.Config{
		Certificates: []tls.Certificate{hub.issue(t, keys.HubName, x509.ExtKeyUsageServerAuth)},
		ClientCAs:    pool, ClientAuth: tls.RequireAndVerifyClientCert, Time: func() time.Time { return now },
	}
	c := hub.credential(t)
	synctest.Test(t, func(t *testing.T) {
		good, plain := c.ClientTLS(), c.ClientTLS()
		plain.Time = nil // what crypto/tls does by itself
		if _, err := reach(t, server, good); err != nil {
			t.Error(err)
		}
		if _, err := reach(t, server, plain); err == nil {
			t.Error("the bubble's clock does not show in the handshake")
		}
	})
	ended := &x509.Certificate{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}
	if got := keys.NowSince(ended); !got.After(ended.NotAfter) {
		t.Errorf("a certificate that ended is checked at %v", got)
	}
}

// reach connects over loopback and returns the name in the client's certificate.
func reach(t *testing.T, server, client *tls.Config) (string, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	name := make(chan string, 1)
	go func() {
		defer close(name)
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		conn := tls.Server(raw, server)
		defer conn.Close()
		if conn.Handshake() == nil {
			name <- conn.ConnectionState().PeerCertificates[0].Subject.CommonName
		}
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err == nil {
		_, err = io.ReadAll(conn) // a TLS 1.3 client hears of a refused certificate on its first read
		conn.Close()
	}
	return <-name, err
}
