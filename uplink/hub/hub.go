// SPDX-License-Identifier: Apache-2.0

// Package hub is the sync hub as a library: the certificate authority that enrols devices, the MQTT
// endpoint they send clips to, and the store the clips end in. [Init] makes a hub's folder, [New] reads
// it, [Hub.Run] serves it; [NewToken] lets one more device in. The hub cannot open what it stores.
//
// One port serves all protocols, TLS 1.3 only. A client that asks for an ALPN protocol of package
// enroll needs no certificate and can do nothing but enrol, renew or take leave; every other one needs a
// certificate of this hub's CA, and speaks MQTT 3.1.1 as the device that the certificate names. With
// Config.Broker devices speak MQTT at a broker of the owner's instead, and the hub is one more client there.
//
// A hub's folder holds:
//
//	ca.crt ca.key         the certificate authority; its hash is in every token
//	hub.crt hub.key       the server's certificate, for the name keys.HubName
//	receipt.key           signs receipts and commands (Ed25519)
//	ca-next.*, receipt-next.key  the spares that [Rotate] lets take over; every camera trusts them already
//	ca-old.crt            the CA before the last rotation; certificates by it count for 60 days more
//	commands/             what devices are to do, and what they answered: [Order]
//	tokens/               one file for each enrolment token, by the SHA-256 of its secret
//	devices/              what devices sent: package archive
//	incoming/, index.db   unfinished clips, and an index that can be made anew: package store
//	reserve, receipt.pub  room for tombstones, and the public keys they verify with: package store
//	status.json           what the running hub tells about itself: [ReadStatus]
//
// Every message about a connection that was turned away carries an attribute "code", see [Refused].
package hub

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"golang.org/x/sync/errgroup"

	"github.com/nightjar-cam/nightjar/uplink/hub/presence"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// Limits that hold for any client, enrolled or not. They are fixed: a camera needs no more, and a
// client that wants more is not one.
const (
	maxPacket      = 256 << 10 // bytes of an MQTT packet; a chunk has at most 128 KiB
	maxInflight    = 64        // messages in either direction that are not acknowledged
	maxPending     = 64        // messages to a device that are not written yet; beyond, replies are dropped
	maxPartials    = 4         // unfinished clips of a device
	maxKeepAlive   = 300       // seconds a device may be silent
	sessionSeconds = 24 * 3600 // an absent device's session is kept so long

	handshakeTimeout = 10 * time.Second // for TLS handshake and MQTT CONNECT together
)

// Config is what a hub needs to run. The zero value of a field with a default takes it.
type Config struct {
	Dir            string // made by Init
	Listen         string // host:port
	MaxClipBytes   int64  // largest sealed clip taken, in bytes; default 512 MiB
	MaxConnections int    // open connections at a time, enrolled or not; default 256
	Broker         string // host:port of an external MQTT broker that devices and hub meet at; "": the hub is one itself
	Metrics        string // file to keep the metrics in, for node_exporter's textfile collector; "" for none

	Retention   store.Retention // how long clips are kept; default: for ever
	SilentAfter time.Duration   // a camera that says nothing for longer is an alarm; default presence.Bound
}

// DefaultConfig returns the defaults; Dir and Listen have none.
func DefaultConfig() Config {
	return Config{MaxClipBytes: 512 << 20, MaxConnections: 256, SilentAfter: presence.Bound}
}

// Validate fills in defaults and says what is wrong.
func (c *Config) Validate() error {
	d := DefaultConfig()
	if c.MaxClipBytes == 0 {
		c.MaxClipBytes = d.MaxClipBytes
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = d.MaxConnections
	}
	if c.SilentAfter == 0 {
		c.SilentAfter = d.SilentAfter
	}
	switch {
	case c.Dir == "":
		return errors.New("hub: no folder given")
	case c.Listen == "":
		return errors.New("hub: no address to listen on given")
	case c.Broker != "" && !validAddr(c.Broker):
		return fmt.Errorf("hub: the broker %q is no HOST:PORT", c.Broker)
	case c.MaxClipBytes < 1:
		return fmt.Errorf("hub: largest clip of %d bytes", c.MaxClipBytes)
	case c.MaxConnections < 1:
		return fmt.Errorf("hub: at most %d connections", c.MaxConnections)
	case c.Retention.MaxAge < 0 || c.Retention.DeviceBytes < 0 || c.Retention.TotalBytes < 0:
		return errors.New("hub: clips cannot be kept for less than nothing")
	case c.SilentAfter < time.Second:
		return fmt.Errorf("hub: cameras silent after %v: give a second or more", c.SilentAfter)
	}
	return nil
}

// A Hub is a task: Run it once.
type Hub struct {
	cfg         Config
	log         *slog.Logger
	ca          *authority
	server      tls.Certificate
	receipt     ed25519.PrivateKey
	nextReceipt ed25519.PublicKey // after the next rotation; nil: no spare

	ready  chan struct{}
	addr   net.Addr // valid once ready is closed
	roster *presence.Roster
	tally  *tally

	external *external // Run makes it; nil: the hub is the broker

	allow     func(device, topic string, write bool) bool // the access rule; tests see what happens without
	handshake time.Duration                               // handshakeTimeout; shorter in tests
	packet    uint32                                      // maxPacket; tests see what happens without
	pace      time.Duration                               // between two looks at revocations and presence
	seatWait  time.Duration                               // seatWait; tests see what happens without
	hooks     []mqtt.Hook                                 // of tests, beside the hub's own
}

// New reads the keys in cfg.Dir. The hub holds nothing open until it runs.
func New(cfg Config, log *slog.Logger) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Hub{cfg: cfg, log: log, ready: make(chan struct{}), roster: presence.New(cfg.SilentAfter), tally: newTally(),
		allow: allowed, handshake: handshakeTimeout, packet: maxPacket, pace: time.Second, seatWait: seatWait}
	if err := h.loadKeys(); err != nil {
		return nil, err
	}
	return h, nil
}

// String names the task.
func (h *Hub) String() string { return "hub " + h.cfg.Listen }

// Ready is closed once the hub accepts connections.
func (h *Hub) Ready() <-chan struct{} { return h.ready }

// Addr is the address the hub listens on. It blocks until the hub is ready.
func (h *Hub) Addr() net.Addr {
	<-h.ready
	return h.addr
}

// Run serves until ctx ends and then returns nil. By then every connection is closed, and what came
// through it is stored or forgotten. It may be called once.
func (h *Hub) Run(ctx context.Context) (err error) {
	st, err := store.Open(ctx, h.cfg.Dir, store.Config{
		Key: h.receipt, MaxClipBytes: h.cfg.MaxClipBytes, MaxPartials: maxPartials, Log: h.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := pruneTokens(tokensDir(h.cfg.Dir), time.Now()); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", h.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for devices: %w", err)
	}
	h.addr = listener.Addr()

	// What a device sent before the hub was told to stop is stored to its end.
	serve := &service{ingest: newIngest(context.WithoutCancel(ctx), st, h.log), roster: h.roster, tally: h.tally}
	var broker *broker
	var present func(device string, kind wire.Kind, payload []byte) bool // false when the device is not there
	if h.cfg.Broker != "" {
		h.external = newExternal(h.cfg.Broker, h.ca, serve, h.log)
		serve.tell, present = h.external.tell, h.external.tellPresent
	} else {
		if broker, err = newBroker(serve, h); err != nil {
			listener.Close()
			return err
		}
		defer broker.close()
		serve.tell, present = broker.tell, broker.tell
	}
	serve.greet = &greeter{tell: serve.tell, count: serve.ingest.devices, every: breath}
	serve.orders = &orders{dir: h.cfg.Dir, key: h.receipt, log: h.log,
		send: func(device string, jws []byte) bool { return present(device, wire.DownCommand, jws) }}
	front := &front{
		listener:  listener,
		tls:       newServerTLS(h.server, h.ca, h.cfg.Broker),
		handshake: h.handshake,
		broker:    broker,
		roster:    h.roster,
		tally:     h.tally,
		issuer:    &issuer{ca: h.ca, store: st, tokens: tokensDir(h.cfg.Dir), receipt: h.receipt.Public().(ed25519.PublicKey), next: h.nextReceipt, broker: h.cfg.Broker, log: h.log},
		log:       h.log,
		slots:     make(chan struct{}, h.cfg.MaxConnections),
	}
	h.log.Info("hub listens", "addr", h.addr.String(), "dir", h.cfg.Dir)
	w := h.newWatch(front, st)
	close(h.ready)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return front.run(ctx) })
	g.Go(func() error { return w.run(ctx) })
	g.Go(func() error { return h.retain(ctx, st, w.before) })
	g.Go(func() error { return serve.orders.run(ctx) })
	if h.external != nil {
		g.Go(func() error { return h.external.run(ctx) })
	}
	err = g.Wait()
	w.write(false)
	return err
}

func validAddr(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	return err == nil && host != "" && port != "" && len(addr) <= 300
}

func tokensDir(dir string) string { return filepath.Join(dir, "tokens") }
