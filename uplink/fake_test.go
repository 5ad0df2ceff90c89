// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// message is one of the fake's to the camera.
type message struct {
	kind    wire.Kind
	payload []byte
}

// script answers an offer: the number of offers so far of this record, from 1.
type script func(r record.Record, jws []byte, offer int) []message

// fake is a hub that does what a script says. It acknowledges every message at once.
type fake struct {
	mqtt.HookBase
	t      testing.TB
	server *mqtt.Server
	script script
	chunk  func(wire.Chunk) // if not nil, is told each chunk before it is acknowledged
	site   *site

	mu     sync.Mutex
	offers map[uint64]int
	order  []uint64 // of the offered records
}

// newFake takes the place of the site's hub: it has that one's address and keys.
func newFake(t testing.TB, s *site, script script) *fake {
	t.Helper()
	s.hub.Stop(t)
	dir := s.hub.Dir
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "hub.crt"), filepath.Join(dir, "hub.key"))
	if err != nil {
		t.Fatal(err)
	}
	devices := x509.NewCertPool()
	devices.AddCert(s.cred.CA)
	l, err := net.Listen("tcp", s.hub.Addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, script: script, site: s, offers: map[uint64]int{}}
	f.server = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	tlsListener := tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, NextProtos: []string{"mqtt"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: devices,
	})
	if err := f.server.AddHook(f, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.server.AddListener(listeners.NewNet("tls", tlsListener)); err != nil {
		t.Fatal(err)
	}
	if err := f.server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.server.Close() })
	return f
}

func (f *fake) ID() string { return "fake" }

func (f *fake) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck || b == mqtt.OnPublish
}

func (f *fake) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }
func (f *fake) OnACLCheck(*mqtt.Client, string, bool) bool              { return true }

func (f *fake) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	switch pk.TopicName {
	case wire.Topic("porch", wire.UpStatus):
		payload, err := wire.Welcome{Time: time.Now().UTC().Truncate(time.Millisecond)}.Marshal()
		if err != nil {
			f.t.Error(err)
		}
		f.say(message{wire.DownWelcome, payload})
	case wire.Topic("porch", wire.UpOffer):
		f.offered(pk.Payload)
	case wire.Topic("porch", wire.UpChunk):
		if f.chunk == nil {
			break
		}
		c, err := wire.ParseChunk(pk.Payload)
		if err != nil {
			f.t.Error(err)
		}
		f.chunk(c)
	}
	return pk, packets.CodeSuccessIgnore
}

func (f *fake) offered(payload []byte) {
	offer, err := wire.ParseOffer(payload)
	if err != nil {
		f.t.Error(err)
		return
	}
	r, err := record.Verify(f.site.cam.Public(), []byte(offer.Record))
	if err != nil {
		f.t.Error(err)
		return
	}
	f.mu.Lock()
	f.offers[r.Seq]++
	f.order = append(f.order, r.Seq)
	n := f.offers[r.Seq]
	f.mu.Unlock()
	for _, m := range f.script(r, []byte(offer.Record), n) {
		f.say(m)
	}
}

func (f *fake) say(m message) {
	if err := f.server.Publish(wire.Topic("porch", m.kind), m.payload, false, 1); err != nil {
		f.t.Error(err)
	}
}

// count is how often a record was offered.
func (f *fake) count(seq uint64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.offers[seq]
}

// receipt signs what the hub would say when it has the record, after change.
func (s *site) receipt(t testing.TB, key ed25519.PrivateKey, r record.Record, jws []byte, change func(*record.Receipt)) message {
	t.Helper()
	hash := record.Hash(jws)
	receipt := record.Receipt{
		Version: record.Version, Device: r.Device, Seq: r.Seq, Record: hex.EncodeToString(hash[:]),
		Stored: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	if r.Clip != nil {
		receipt.Clip = r.Clip.ID
	}
	change(&receipt)
	b, err := record.SignReceipt(key, receipt)
	if err != nil {
		t.Error(err)
	}
	return message{wire.DownReceipt, b}
}

func (s *site) receiptKey(t testing.TB) ed25519.PrivateKey {
	return privateKey(t, filepath.Join(s.hub.Dir, "receipt.key")).(ed25519.PrivateKey)
}

// genuine changes nothing.
func genuine(*record.Receipt) {}

// refuse is a refusal of a record.
func refuse(t testing.TB, r record.Record, code wire.Code) message {
	b, err := wire.Refuse{Seq: r.Seq, Code: code, Message: "for a test"}.Marshal()
	if err != nil {
		t.Error(err)
	}
	return message{wire.DownRefuse, b}
}

// next is the oldest entry's number; 0 for an empty spool.
func next(s *spool.Spool) uint64 {
	e, _ := s.Next(0)
	return e.Seq
}
