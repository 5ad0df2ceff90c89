// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/policy"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A bubble is a camera and a hub that says what a test wants, in the virtual time of testing/synctest: real TLS and MQTT
// over pipes in memory. Hours of waiting take milliseconds, and nothing is shortened.
type bubble struct {
	mochi.HookBase
	t        *testing.T
	server   *mochi.Server
	closeHub func()
	tls      *tls.Config
	key      ed25519.PrivateKey // signs receipts
	spool    *spool.Spool
	session  *Session

	mu     sync.Mutex
	answer answer
	down   bool                 // no connection can be made
	deaf   bool                 // the hub says nothing, not even a welcome
	mute   bool                 // chunks get no PUBACK
	hangAt wire.Kind            // the hub hangs when it hears one
	hangIn string               // or in this phase of a connection: tcp, tls, connect, subscribe
	hung   time.Time            // when it did
	busy   time.Duration        // the hub works on each chunk for so long
	tells  bool                 // and welcomes the camera meanwhile
	rate   int                  // bytes a second that come through to the hub; 0: any number
	clips  int                  // that were recorded
	got    map[string]*[3]int64 // bytes of a clip's parts that the hub took, by wire.Part
	dials  []time.Time          // attempts to connect
	heard  []message            // what the camera sent, but its status
	ends   []*end               // of the connections, the hub's
}

// answer is what the hub replies to a record that is offered: an encoded message, or nil.
type answer func(b *bubble, e spool.Entry) (wire.Kind, []byte)

// message is one that the hub heard.
type message struct {
	at         time.Time
	kind       wire.Kind
	seq        uint64 // of an offer
	clip       string // of a chunk
	part       wire.Part
	from, size int64
}

func newBubble(t *testing.T, answer answer) *bubble {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &bubble{t: t, key: private, answer: answer, got: map[string]*[3]int64{}}
	ca := certificate(t, tls.Certificate{}, "a hub's CA")
	clients := x509.NewCertPool()
	clients.AddCert(ca.Leaf)
	b.tls = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
		Certificates: []tls.Certificate{certificate(t, ca, keys.HubName)}}
	b.startHub()
	t.Cleanup(func() { b.closeHub() }) // the last that was started, when the session has ended
	if b.spool, err = spool.Open(t.TempDir(), spool.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.spool.Close() })
	b.session = New(Config{Body: "clip", Details: "details"}, keys.Credential{
		Device: "porch", TLS: certificate(t, ca, "porch"), CA: ca.Leaf, ReceiptKey: public, Hub: "hub:8883",
	}, b.spool, slog.New(slog.NewTextHandler(t.Output(), nil)))
	b.session.open = b.open
	return b
}

// startHub starts the hub's broker; closeHub ends it.
func (b *bubble) startHub() {
	b.server = mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(b.server.AddHook(b, nil), b.server.Serve()); err != nil {
		b.t.Fatal(err)
	}
	b.closeHub = sync.OnceFunc(func() { b.server.Close() })
}

// certificate makes one that is valid in the bubble's year 2000; without a parent, a CA.
func certificate(t *testing.T, parent tls.Certificate, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0), BasicConstraintsValid: true, IsCA: parent.Leaf == nil,
	}
	if parent.Leaf == nil {
		parent = tls.Certificate{Leaf: c, PrivateKey: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent.Leaf, key.Public(), parent.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// run runs the session until the test ends.
func (b *bubble) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.session.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
		for _, e := range b.ends {
			e.Close()
		}
	})
}

// hang freezes the last connection. The caller holds the lock.
func (b *bubble) hang() {
	b.hangAt, b.hangIn, b.hung = "", "", time.Now()
	close(b.ends[len(b.ends)-1].frozen)
}

// reaches hangs the hub if this is the phase that it is to hang in.
func (b *bubble) reaches(phase string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hangIn == phase {
		b.hang()
	}
}

// work is what a hub does when it hashes a large clip.
func (b *bubble) work(cl *mochi.Client) {
	b.mu.Lock()
	left, tells := b.busy, b.tells
	b.mu.Unlock()
	for ; left > 0; left -= 4 * time.Second {
		time.Sleep(min(left, 4*time.Second))
		if tells {
			cl.Net.Conn.SetWriteDeadline(time.Now().Add(8 * time.Second))
			b.welcome(0)
		}
	}
}

// welcome has the hub say how it is.
func (b *bubble) welcome(spread int) {
	payload, err := wire.Welcome{Time: time.Now().UTC().Truncate(time.Millisecond), Spread: spread}.Marshal()
	if err := errors.Join(err, b.server.Publish(wire.Topic("porch", wire.DownWelcome), payload, false, 0)); err != nil {
		b.t.Error(err)
	}
}

// set changes the hub.
func (b *bubble) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// take returns the messages of a kind that were heard since it was last called.
func (b *bubble) take(kind wire.Kind) (of []message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.heard {
		if m.kind == kind {
			of = append(of, m)
		}
	}
	b.heard = nil
	return of
}

// attempts are the times at which the camera tried to connect.
func (b *bubble) attempts() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.dials)
}

// waiting is how many entries are in the spool.
func (b *bubble) waiting() int {
	n, _ := b.spool.Usage()
	return n
}

// clip commits an entry with a body and details of n bytes each; its record only has its number.
func (b *bubble) clip(n int) spool.Entry { return b.record(n, n, "now") }

// record commits an entry with its two parts, and the word that the upload policy gives it.
func (b *bubble) record(body, details int, when policy.When) spool.Entry {
	b.t.Helper()
	b.clips++
	d, err := b.spool.Create(fmt.Sprintf("%032x", b.clips))
	if err == nil {
		err = d.SetNote(string(when))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	for name, n := range map[string]int{"clip": body, "details": details} {
		w, err := d.Part(name)
		if err != nil {
			b.t.Fatal(err)
		}
		_, err = w.Write(make([]byte, n))
		if err := errors.Join(err, w.Close()); err != nil {
			b.t.Fatal(err)
		}
	}
	e, err := d.Commit(func(seq uint64, _ [32]byte, _ []spool.Part) ([]byte, error) { return fmt.Append(nil, seq), nil })
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// stored answers with a receipt.
func stored(b *bubble, e spool.Entry) (wire.Kind, []byte) {
	hash := record.Hash(e.Record)
	jws, err := record.SignReceipt(b.key, record.Receipt{Version: record.Version, Device: "porch", Seq: e.Seq,
		Record: hex.EncodeToString(hash[:]), Clip: e.ID, Stored: time.Now().UTC().Truncate(time.Millisecond)})
	if err != nil {
		b.t.Error(err)
	}
	return wire.DownReceipt, jws
}

// nothing is no answer at all, but a PUBACK.
func nothing(*bubble, spool.Entry) (wire.Kind, []byte) { return "", nil }

// refusing answers with a refusal of the entry.
func refusing(b *bubble, e spool.Entry) (wire.Kind, []byte) {
	payload, err := wire.Refuse{Seq: e.Seq, Clip: e.ID, Code: wire.CodeHash}.Marshal()
	if err != nil {
		b.t.Error(err)
	}
	return wire.DownRefuse, payload
}

// wanting answers that it has nothing of the clip.
func wanting(b *bubble, e spool.Entry) (wire.Kind, []byte) {
	payload, err := wire.Have{Seq: e.Seq, Clip: e.ID}.Marshal()
	if err != nil {
		b.t.Error(err)
	}
	return wire.DownHave, payload
}

// OnPublish hears the camera.
func (b *bubble) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	_, kind, err := wire.ParseTopic(pk.TopicName)
	if cl.Net.Inline {
		return pk, err
	}
	b.mu.Lock()
	deaf := b.deaf
	b.mu.Unlock()
	if kind == wire.UpStatus {
		if !deaf {
			b.welcome(0)
		}
		return pk, err
	}
	if kind == wire.UpChunk {
		b.work(cl)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := message{at: time.Now(), kind: kind}
	switch kind {
	case wire.UpOffer:
		m.seq = b.offered(pk.Payload)
	case wire.UpChunk:
		b.chunk(&m, pk.Payload)
	case wire.UpResult:
		r, err := wire.ParseResult(pk.Payload)
		if err != nil {
			b.t.Error(err)
		}
		m.seq = r.Seq
	}
	b.heard = append(b.heard, m)
	if kind == b.hangAt {
		b.hang()
	}
	if b.mute && kind == wire.UpChunk {
		return pk, packets.ErrRejectPacket // withholds the PUBACK
	}
	return pk, packets.CodeSuccessIgnore
}

func (b *bubble) say(kind wire.Kind, payload []byte) {
	if err := b.server.Publish(wire.Topic("porch", kind), payload, false, 0); err != nil {
		b.t.Error(err)
	}
}

// offered answers an offer.
func (b *bubble) offered(payload []byte) (seq uint64) {
	m, err := wire.ParseOffer(payload)
	if err != nil {
		b.t.Error(err)
	}
	if _, err := fmt.Sscan(m.Record, &seq); err != nil {
		b.t.Error(err)
	}
	e, _ := b.spool.Next(seq - 1)
	if kind, reply := b.answer(b, e); kind != "" {
		b.say(kind, reply)
	}
	return seq
}

func (b *bubble) ID() string { return "bubble" }
func (b *bubble) Provides(hook byte) bool {
	return hook == mochi.OnConnectAuthenticate || hook == mochi.OnACLCheck || hook == mochi.OnPublish
}
func (b *bubble) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool {
	b.reaches("connect")
	return true
}
func (b *bubble) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	if !write && topic == wire.Filter("porch") { // not when the hub delivers to it: then the lock is held

		b.reaches("subscribe")
	}
	return true
}

// open is the camera's way to the hub.
func (b *bubble) open(ctx context.Context, _ string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dials = append(b.dials, time.Now())
	if b.down {
		return nil, errors.New("no route to host")
	}
	if b.hangIn == "tcp" {
		b.hangIn, b.hung = "", time.Now()
		b.mu.Unlock()
		<-ctx.Done()
		b.mu.Lock()
		return nil, ctx.Err()
	}
	near, far := net.Pipe()
	e := newEnd(far, b.rate)
	b.ends = append(b.ends, e)
	if b.hangIn == "tls" {
		b.hang()
	}
	go func() {
		_ = b.server.EstablishConnection("pipe", tls.Server(e, b.tls)) // the session sees how it ends
		e.Close()
	}()
	return near, nil
}
