// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

func TestShip(t *testing.T) {
	s := newSite(t, 0)
	e := s.clip(t, 3*uplink.ChunkBytes+1)
	f, err := e.Open("clip")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	body, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	s.loss(t)
	s.clip(t, 1)
	session := s.session(t)
	stop := run(t, session)
	<-session.Ready()
	s.drained(t)
	if st := session.Status(); !st.Connected || st.Err != nil {
		t.Errorf("status %+v", st)
	}
	s.clip(t, uplink.ChunkBytes) // while it is idle
	s.drained(t)
	stop()
	s.wantStored(t, 3)
	if !bytes.Equal(mustRead(t, s.hub.Device(t, "porch").ClipPath(e.ID)), body) {
		t.Error("the hub has another clip")
	}
	if got := session.String(); got != "uplink "+s.cred.Hub {
		t.Errorf("name %q", got)
	}
}

// What was sent before the connection broke is not sent again, but for what was on its way: the size of a chunk at most.
func TestResume(t *testing.T) {
	const size = 3 << 20
	for _, after := range []int64{1, 5_000, 100_000, 1 << 20, 5 << 19, size} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			s := newSite(t, 0)
			s.clip(t, size)
			p := newProxy(t, s.hub.Addr, after, func() {})
			s.cred.Hub = p.addr
			stop := run(t, s.session(t))
			s.drained(t)
			stop()
			s.wantStored(t, 1)
			most := int64(size + wire.MaxChunk + size/50) // and 2 % for TLS, MQTT and chunk headers
			await(t, "the proxy to count", func() bool { return p.sent.Load() >= size })
			if sent := p.sent.Load(); sent > most {
				t.Errorf("sent %d bytes, want at most %d", sent, most)
			}
		})
	}
}

func TestHubRestartsMidClip(t *testing.T) {
	s := newSite(t, 0)
	s.clip(t, 2<<20)
	s.cred.Hub = newProxy(t, s.hub.Addr, 1<<20, func() { s.hub.Restart(t) }).addr
	stop := run(t, s.session(t))
	s.drained(t)
	stop()
	s.wantStored(t, 1)
}

func TestReceiptLost(t *testing.T) {
	s := newSite(t, 0)
	s.clip(t, 1000)
	session := s.session(t)
	var receipts atomic.Int32
	session.SetAccept(func(c keys.Credential, e spool.Entry, jws []byte) error {
		if receipts.Add(1) <= 2 {
			return errors.New("never arrived")
		}
		return uplink.VerifyReceipt(c, e, jws)
	})
	stop := run(t, session)
	s.drained(t)
	stop()
	s.wantStored(t, 1)
	if n := receipts.Load(); n != 3 {
		t.Errorf("%d receipts, want one for each offer", n)
	}
}

func TestEvictedIsShippedAsRecord(t *testing.T) {
	s := newSite(t, 5000)
	s.clip(t, 3000)
	s.clip(t, 4000)
	if e, _ := s.spool.Next(0); !e.Evicted {
		t.Fatal("nothing was evicted")
	}
	stop := run(t, s.session(t))
	s.drained(t)
	stop()
	s.wantStored(t, 1)
}

// A clip that the disk lost must not keep those behind it from the hub.
func TestUnreadableEntryHoldsUpNothing(t *testing.T) {
	s := newSite(t, 0)
	e := s.clip(t, 1000)
	f, err := e.Open("clip")
	if err != nil {
		t.Fatal(err)
	}
	away := f.Name() + ".away"
	if err := errors.Join(f.Close(), os.Rename(f.Name(), away)); err != nil {
		t.Fatal(err)
	}
	s.clip(t, 1000)
	session := s.session(t)
	stop := run(t, session)
	await(t, "the second clip to be stored", func() bool { n, _ := s.spool.Usage(); return n == 1 })
	if left, ok := s.spool.Next(0); !ok || left.Seq != e.Seq {
		t.Fatalf("entry %d is left", left.Seq)
	}
	if err := os.Rename(away, f.Name()); err != nil {
		t.Fatal(err)
	}
	s.drained(t)
	stop()
	s.wantStored(t, 2)
}

func TestStopAtAnyMoment(t *testing.T) {
	for _, after := range []int64{0, 500, 200_000} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			s := newSite(t, 0)
			s.clip(t, 1<<20)
			reached, release := make(chan struct{}), make(chan struct{})
			defer close(release)
			s.cred.Hub = newProxy(t, s.hub.Addr, after, func() { close(reached); <-release }).addr
			stop := run(t, s.session(t))
			<-reached // from here on nobody answers
			stop()
			if n, _ := s.spool.Usage(); n != 1 {
				t.Error("the clip is gone")
			}
		})
	}
}

func TestStatusSaysWhatToDo(t *testing.T) {
	s := newSite(t, 0)
	other := hubtest.Start(t).Enroll
	foreign := other(t, "porch")
	for name, row := range map[string]struct {
		change func(*keys.Credential)
		want   string
	}{
		"another hub":         {func(c *keys.Credential) { c.CA, c.NextCA = foreign.CA, nil }, "this is not the hub"},
		"another hub's child": {func(c *keys.Credential) { c.TLS = foreign.TLS }, "is it another hub?"},
		"expired":             {func(c *keys.Credential) { c.TLS = expired(t, s.hub.Dir) }, "nightjar enroll"},
		"not listening":       {func(c *keys.Credential) { c.Hub = closedPort(t) }, "is the hub running"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := *s
			row.change(&broken.cred)
			session := broken.session(t)
			run(t, session)
			await(t, "a failed connection", func() bool { return session.Status().Err != nil })
			if st := session.Status(); st.Connected || !strings.Contains(st.Err.Error(), row.want) {
				t.Errorf("status %+v, want %q", st, row.want)
			}
		})
	}
}

// expired is a certificate of the hub's CA that was valid an hour ago.
func expired(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	ca, err := tls.X509KeyPair(mustRead(t, filepath.Join(dir, "ca.crt")), mustRead(t, filepath.Join(dir, "ca.key")))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "porch"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// privateKey reads a PEM file with a key.
func privateKey(t testing.TB, path string) any {
	t.Helper()
	block, _ := pem.Decode(mustRead(t, path))
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
