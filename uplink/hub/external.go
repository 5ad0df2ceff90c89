// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sync/errgroup"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// ClientName is the common name of the certificate that the hub shows to an external broker. The dot keeps it from being a
// device's: see keys.ValidDevice.
const ClientName = "nightjar.hub"

// Bounds towards an external broker. What waits in the hub is workers * (queued + 1) chunks, some 34 MiB.
const (
	workers = 16 // each has the messages of some devices, in order
	queued  = 16 // messages that wait for a worker

	room         = 5 * time.Second // a message waits so long for a place; then it is dropped, and its device offers again
	externalPing = 10 * time.Second
	externalOpen = 15 * time.Second // TCP, TLS and MQTT handshakes together
	firstPause   = time.Second      // mean, between two attempts
	lastPause    = 20 * time.Second
)

// An external is the hub as a client of a broker that others run, such as mosquitto. Who a device is, the topic says: the broker
// lets nobody publish under another's name, which the access list in docs/mosquitto sees to. Beyond that the broker is not
// trusted: records and receipts are signed, and its packets are bounded.
type external struct {
	addr  string
	ca    *authority
	serve *service
	log   *slog.Logger
	lanes [workers]chan mqtt.Message
	seed  maphash.Seed

	mu      sync.Mutex
	client  mqtt.Client     // nil: not connected
	online  map[string]bool // devices that the broker has a session with, as far as they said
	trouble error           // why the hub hears nothing; nil: it is subscribed
}

func newExternal(addr string, ca *authority, serve *service, log *slog.Logger) *external {
	e := &external{addr: addr, ca: ca, serve: serve, log: log, seed: maphash.MakeSeed(), online: map[string]bool{}, trouble: errors.New("not connected yet")}
	for i := range e.lanes {
		e.lanes[i] = make(chan mqtt.Message, queued)
	}
	return e
}

// run keeps a connection to the broker until ctx ends, and returns nil then.
func (e *external) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, lane := range e.lanes {
		g.Go(func() error { return e.work(ctx, lane) })
	}
	g.Go(func() error { return e.live(ctx) })
	g.Go(func() error {
		pause, last := firstPause, ""
		for {
			worked, err := e.connect(ctx)
			if ctx.Err() != nil {
				return nil
			}
			e.mu.Lock()
			e.trouble = err
			e.mu.Unlock()
			if worked {
				pause, last = firstPause, ""
			}
			if text := err.Error(); text != last { // the same trouble is worth one line
				e.log.Warn("no connection to the broker", "code", "broker-lost", "broker", e.addr, "err", err)
				last = text
			}
			if !rest(ctx, pause) {
				return nil
			}
			pause = min(2*pause, lastPause)
		}
	})
	return g.Wait()
}

// rest waits for half to one and a half of a span; it returns false when ctx ended first.
func rest(ctx context.Context, mean time.Duration) bool {
	if n, err := rand.Int(rand.Reader, big.NewInt(int64(mean))); err == nil {
		mean = mean/2 + time.Duration(n.Int64())
	}
	select {
	case <-time.After(mean):
		return true
	case <-ctx.Done():
		return false
	}
}

// connect serves one connection to its end and tells whether it worked for a while. It has a client of its own: paho's
// reconnection has no jitter, and sends old messages again.
func (e *external) connect(ctx context.Context) (worked bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := make(chan error, 1)
	client := mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker("ssl://" + e.addr).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return e.open(ctx) }).
		SetClientID(ClientName).
		SetProtocolVersion(protocolVersion).
		SetCleanSession(true). // devices offer again what nobody answered
		SetOrderMatters(true). // chunks come in order; receive holds the reader up for a bounded time
		SetAutoReconnect(false).
		SetConnectTimeout(externalOpen).
		SetKeepAlive(externalPing).
		SetPingTimeout(2 * externalPing).
		SetWriteTimeout(externalPing). // without one a frozen broker would never be found
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { e.receive(ctx, m) }).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err }))
	connected := client.Connect()
	select {
	case <-connected.Done():
	case <-ctx.Done():
	}
	if err := errors.Join(ctx.Err(), connected.Error()); err != nil {
		return false, err
	}
	defer client.Disconnect(100)
	defer e.leave()
	e.mu.Lock()
	e.client = client // ahead of the first message, which is answered
	e.mu.Unlock()
	subscribed := client.Subscribe(wire.HubFilter, 1, nil)
	if !subscribed.WaitTimeout(externalOpen) {
		return false, errors.New("subscribe: no answer")
	}
	if err := subscribed.Error(); err != nil {
		return false, fmt.Errorf("subscribe: %w", err)
	}
	if t, ok := subscribed.(*mqtt.SubscribeToken); ok && t.Result()[wire.HubFilter] > 1 {
		return false, fmt.Errorf("subscribe: the broker's access list does not let %s hear devices: see docs/mosquitto", ClientName)
	}
	e.mu.Lock()
	e.trouble = nil
	e.mu.Unlock()
	e.log.Info("connected to the broker", "code", "broker-reached", "broker", e.addr)
	select {
	case err := <-lost:
		return true, err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// open connects to the broker, which must have a certificate of this hub's CA for [keys.HubName], as cameras ask for too.
func (e *external) open(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, externalOpen)
	defer cancel()
	own, err := e.ca.issueClient(time.Now())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(e.ca.cert)
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"mqtt"},
		RootCAs:    roots,
		ServerName: keys.HubName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &own, nil
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", e.addr)
	if foreign := new(x509.UnknownAuthorityError); errors.As(err, foreign) {
		return nil, fmt.Errorf("%w (make the broker's with `nightjar-hub broker certificate`, again after each rotation)", err)
	}
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: conn}, nil
}

// issueClient certifies a new key of the hub's own. It is made for each connection and never stored: a rotation need not know it.
func (a *authority) issueClient(now time.Time) (cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, err
	}
	der, err := a.issueDevice(ClientName, key.Public(), now)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// receive passes a message to the worker of its device. It runs in paho's one goroutine for that: while it waits for a place,
// nothing else is read, and the broker has to keep what comes.
func (e *external) receive(ctx context.Context, m mqtt.Message) {
	device, kind, err := wire.ParseTopic(m.Topic())
	if err != nil || !kind.Up() || m.Retained() && kind != wire.UpStatus {
		return
	}
	timer := time.NewTimer(room)
	defer timer.Stop()
	select {
	case e.lanes[maphash.String(e.seed, device)%workers] <- m:
	case <-timer.C:
		if e.serve.ingest.news(device, "lane", "full") {
			e.log.Warn("message dropped: the store is too slow for what comes", "code", "message-dropped", "device", device)
		}
	case <-ctx.Done():
	}
}

// work takes the messages of a lane, one after the other, until ctx ends.
func (e *external) work(ctx context.Context, lane <-chan mqtt.Message) error {
	for {
		select {
		case m := <-lane:
			e.take(m)
		case <-ctx.Done():
			return nil
		}
	}
}

// take takes one message. There is no session here to end: a message that is refused has no answer.
func (e *external) take(m mqtt.Message) {
	device, kind, _ := wire.ParseTopic(m.Topic())
	var r *refusal
	if !e.present(device) && !e.serve.ingest.known(device) {
		r = refuse(RefusedUnknownDevice, "device %s is not enrolled here (any more)", device)
	}
	if r == nil {
		r = e.serve.take(device, m.Topic(), m.Payload())
	}
	if r != nil {
		e.serve.tally.end(r.code)
		if e.serve.ingest.news(device, "external", string(r.code)) {
			e.log.Warn("message refused", "code", string(r.code), "device", device, "err", r)
		}
		return
	}
	s, err := wire.ParseStatus(m.Payload())
	e.seen(device, kind != wire.UpStatus || err == nil && s.State == wire.Online)
}

// seen notes whether a device has a session with the broker. Pings end there, so a device is alive until the broker says, by
// the will, that it is not.
func (e *external) seen(device string, online bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case online && !e.online[device]:
		e.online[device] = true
		e.serve.roster.Connected(device, time.Now())
	case !online && e.online[device]:
		delete(e.online, device)
		e.serve.roster.Gone(device)
	}
}

// leave forgets who is there: without the broker the hub hears of nobody.
func (e *external) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.client = nil
	for device := range e.online {
		e.serve.roster.Gone(device)
	}
	clear(e.online)
}

// status may be called from any goroutine.
func (e *external) status() *BrokerStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &BrokerStatus{Addr: e.addr, Connected: e.trouble == nil}
	if e.trouble != nil {
		s.Trouble = e.trouble.Error()
	}
	return s
}

// live tells the roster each second who is there.
func (e *external) live(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			e.mu.Lock()
			for device := range e.online {
				if e.serve.revoked(device) != nil {
					delete(e.online, device)
					e.serve.roster.Gone(device)
					continue
				}
				e.serve.roster.Heard(device, now)
			}
			e.mu.Unlock()
		case <-ctx.Done():
			return nil
		}
	}
}

// tell sends a message to a device, with QoS 0: one that is lost costs another offer. False: there is no connection.
func (e *external) tell(device string, kind wire.Kind, payload []byte) bool {
	e.mu.Lock()
	client := e.client
	e.mu.Unlock()
	if client == nil || !client.IsConnectionOpen() { // it would queue without a bound
		return false
	}
	client.Publish(wire.Topic(device, kind), 0, false, payload)
	return true
}

// tellPresent is tell for a device that is there.
func (e *external) tellPresent(device string, kind wire.Kind, payload []byte) bool {
	return e.present(device) && e.tell(device, kind, payload)
}

func (e *external) present(device string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.online[device]
}
