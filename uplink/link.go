// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

const (
	connecting = 14 * time.Second       // TCP, TLS and MQTT handshakes together
	stall      = 2 * time.Minute        // without an acknowledgement: longer than a hub hashes a large clip, or a slow link a chunk
	goodbye    = 700 * time.Millisecond // to take leave in; a frozen hub must not hold up the end of the program
)

// errNoAnswer is returned when the hub said nothing for the span of patience.
var errNoAnswer = errors.New("the hub does not answer")

// link is one MQTT connection. A new client is made for each: paho's own reconnection completes the tokens of messages that
// were never acknowledged, sends old chunks again, and makes a whole fleet come back in step.
type link struct {
	device   string
	client   mqtt.Client
	conn     net.Conn      // below TLS: closing it waits for nothing
	silence  time.Duration // see pulse
	floor    func() time.Time
	cut      func() bool // ends the watch that closes conn some time after the end of ctx
	status   func(wire.State) []byte
	welcomed func(wire.Welcome)
	command  func([]byte)
	spoken   atomic.Bool // whether the hub has said anything
	lost     chan error  // gets one error when the connection ends
	inbox    chan reply  // bounded: what does not fit is dropped, and the session offers again
	inFlight []sent
	flow     flow  // bounds inFlight
	latest   reply // what the hub said to the last offer, if it still holds
}

// sent is a message on its way.
type sent struct {
	mqtt.Token
	bytes int
	at    time.Time
}

// reply is what the hub said: the field that belongs to kind is set.
type reply struct {
	kind    wire.Kind
	have    wire.Have
	refuse  wire.Refuse
	receipt []byte
}

// errStalled is returned when the broker answers pings, but acknowledges nothing.
var errStalled = errors.New("the hub acknowledges nothing: is it overloaded?")

// dial connects, subscribes and says that the camera is there.
func dial(ctx context.Context, s *Session) (*link, error) {
	cred := s.cred
	l := &link{device: cred.Device, silence: s.silence, floor: s.cfg.Floor, welcomed: s.welcomed, command: s.cfg.Command, lost: make(chan error, 1), inbox: make(chan reply, 64)}
	l.status = func(state wire.State) []byte {
		entries, bytes := s.spool.Usage()
		payload, _ := wire.Status{State: state, Release: s.cfg.Release, Boot: s.cfg.Boot, Entries: entries, Bytes: bytes}.Marshal()
		return payload
	}
	unwatch := func() bool { return true }
	l.client = mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker("ssl://"+cred.Broker()).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			conn, err := l.open(ctx, cred, s.open)
			if err == nil { // until CONNACK the end of ctx has nobody else to end it
				unwatch = context.AfterFunc(ctx, func() { l.conn.Close() })
				conn = s.limit(conn)
			}
			return conn, err
		}).
		SetClientID(cred.Device).
		SetProtocolVersion(4).
		SetCleanSession(true).  // nothing is kept for us while we are away: we offer again
		SetOrderMatters(false). // or a slow callback would hold up acknowledgements and pings
		SetAutoReconnect(false).
		SetConnectTimeout(connecting).
		SetKeepAlive(keepAlive).
		// pulse finds a frozen hub. These are for one that only works: it answers a ping when it is done with the message before.
		SetPingTimeout(stall).
		SetWriteTimeout(goodbye). // outbox takes everything at once
		SetBinaryWill(wire.Topic(cred.Device, wire.UpStatus), l.status(wire.Offline), 1, true).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { l.receive(m) }).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { l.lost <- fmt.Errorf("connection lost: %w", err) }))

	connect := l.client.Connect()
	<-connect.Done() // which ctx ends
	unwatch()
	if err := connect.Error(); err != nil {
		return nil, err
	}
	// Publish blocks while the hub takes nothing, whatever ctx says.
	l.cut = context.AfterFunc(ctx, func() { time.AfterFunc(goodbye, func() { l.conn.Close() }) })
	if err := l.greet(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// opener makes the connection that TLS and MQTT are spoken over.
type opener func(ctx context.Context, addr string) (net.Conn, error)

func openTCP(ctx context.Context, addr string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
}

// open connects and shakes hands; ctx ends that, not the connection.
func (l *link) open(ctx context.Context, cred keys.Credential, open opener) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	conn, err := open(ctx, cred.Broker())
	if err != nil {
		return nil, err
	}
	l.conn = &pulse{Conn: conn, silence: l.silence}
	cfg := cred.ClientTLS()
	cfg.NextProtos = []string{"mqtt"}
	if now := cfg.Time; l.floor != nil {
		cfg.Time = func() time.Time {
			t, floor := now(), l.floor()
			if t.Before(floor) {
				return floor
			}
			return t
		}
	}
	secure := tls.Client(l.conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return newOutbox(secure), nil
}

// greet subscribes to what the hub says, and says that the camera is there.
func (l *link) greet(ctx context.Context) error {
	filter := wire.Filter(l.device)
	subscribe := l.client.Subscribe(filter, 1, nil)
	if err := l.wait(ctx, subscribe); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if t, ok := subscribe.(*mqtt.SubscribeToken); ok && t.Result()[filter] == refusedSubscription {
		return fmt.Errorf("subscribe: the hub does not let %s hear its answers", l.device)
	}
	if err := l.wait(ctx, l.client.Publish(wire.Topic(l.device, wire.UpStatus), 1, true, l.status(wire.Online))); err != nil {
		return fmt.Errorf("say that we are online: %w", err)
	}
	return nil
}

// refusedSubscription is the return code of a SUBACK that says no (MQTT 3.1.1, 3.9.3); paho takes it for a success.
const refusedSubscription = 0x80

// close takes leave: a broker publishes the will only for a connection that broke.
func (l *link) close() {
	l.cut()
	cut := time.AfterFunc(goodbye, func() { l.conn.Close() })
	defer cut.Stop()
	if l.client.IsConnectionOpen() {
		l.client.Publish(wire.Topic(l.device, wire.UpStatus), 1, true, l.status(wire.Offline)).WaitTimeout(goodbye)
	}
	l.client.Disconnect(100)
	l.conn.Close()
}

// receive runs in a goroutine of paho's. What cannot be decoded is dropped: it was not for this version of us.
func (l *link) receive(m mqtt.Message) {
	device, kind, err := wire.ParseTopic(m.Topic())
	if err != nil || device != l.device {
		return
	}
	l.spoken.Store(true)
	r := reply{kind: kind}
	switch kind {
	case wire.DownHave:
		r.have, err = wire.ParseHave(m.Payload())
	case wire.DownRefuse:
		r.refuse, err = wire.ParseRefuse(m.Payload())
	case wire.DownReceipt:
		r.receipt = m.Payload()
	case wire.DownWelcome:
		if w, err := wire.ParseWelcome(m.Payload()); err == nil {
			l.welcomed(w)
		}
		return
	case wire.DownCommand:
		if l.command != nil && len(m.Payload()) <= wire.MaxCommand {
			l.command(bytes.Clone(m.Payload()))
		}
		return
	default:
		return
	}
	if err != nil || len(m.Payload()) > wire.MaxReceipt {
		return
	}
	select {
	case l.inbox <- r:
	default:
	}
}

// publish sends a message and waits until the broker has it.
func (l *link) publish(ctx context.Context, kind wire.Kind, payload []byte) error {
	if err := l.drain(ctx, 0); err != nil {
		return err
	}
	return l.wait(ctx, l.client.Publish(wire.Topic(l.device, kind), 1, false, payload))
}

// stream sends a message when there is room for it among those on their way, and does not wait for it.
func (l *link) stream(ctx context.Context, kind wire.Kind, payload []byte) error {
	if err := l.landed(ctx); err != nil {
		return err
	}
	for !l.flow.fits(len(payload)) {
		oldest := l.inFlight[0]
		if err := l.land(ctx); err != nil {
			return err
		}
		l.flow.measured(oldest.bytes, oldest.at, time.Now())
	}
	// Publish on a broken connection would queue in memory without a bound.
	if !l.client.IsConnectionOpen() {
		return l.why(errors.New("connection is closed"))
	}
	l.flow.flight += len(payload)
	l.inFlight = append(l.inFlight, sent{l.client.Publish(wire.Topic(l.device, kind), 1, false, payload), len(payload), time.Now()})
	return nil
}

// land waits for the oldest message on its way, which is acknowledged first.
func (l *link) land(ctx context.Context) error {
	if err := l.wait(ctx, l.inFlight[0]); err != nil {
		return err
	}
	l.flow.flight -= l.inFlight[0].bytes
	l.inFlight = l.inFlight[1:]
	return nil
}

// landed counts the messages that arrived meanwhile.
func (l *link) landed(ctx context.Context) error {
	for len(l.inFlight) > 0 {
		select {
		case <-l.inFlight[0].Done():
			if err := l.land(ctx); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// drain waits until at most n messages are on their way.
func (l *link) drain(ctx context.Context, n int) error {
	for len(l.inFlight) > n {
		if err := l.land(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for a token, the end of the connection, or ctx.
func (l *link) wait(ctx context.Context, t mqtt.Token) error {
	timer := time.NewTimer(stall)
	defer timer.Stop()
	select {
	case <-timer.C:
		return errStalled
	case <-t.Done():
		if err := t.Error(); err != nil {
			return l.why(err)
		}
		return nil
	case err := <-l.lost:
		l.lost <- err // for whoever asks next
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// why returns what ended the connection, for which paho's tokens have no word, or err. It is told a little later than they are.
func (l *link) why(err error) error {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case lost := <-l.lost:
		l.lost <- lost
		return lost
	case <-timer.C:
		return err
	}
}

// idle waits for a change of the spool, or to be poked, for as long as pause.
func (l *link) idle(ctx context.Context, changed, poked <-chan struct{}, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-changed:
	case <-poked:
	case <-timer.C:
	case err := <-l.lost:
		l.lost <- err
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// answer waits for the hub's word on an entry; what it says about others is old and passed over.
func (l *link) answer(ctx context.Context, e spool.Entry, patience time.Duration) (reply, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case r := <-l.inbox:
			if r.concerns(e) {
				return r, nil
			}
		case err := <-l.lost:
			l.lost <- err
			return reply{}, err
		case <-timer.C:
			return reply{}, errNoAnswer
		case <-ctx.Done():
			return reply{}, ctx.Err()
		}
	}
}

// heard returns what the hub said about an entry, if it spoke.
func (l *link) heard(e spool.Entry) (reply, bool) {
	for {
		select {
		case r := <-l.inbox:
			if r.concerns(e) {
				return r, true
			}
		default:
			return reply{}, false
		}
	}
}

// concerns tells whether a reply is about an entry. A receipt is: whose it is shows when it is verified.
func (r reply) concerns(e spool.Entry) bool {
	switch r.kind {
	case wire.DownHave:
		return r.have.Seq == e.Seq && r.have.Clip == e.ID
	case wire.DownRefuse:
		return r.refuse.Seq == e.Seq || r.refuse.Seq == 0
	}
	return true
}
