// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// What a hub may send. paho makes room for a packet as soon as its length is said, whatever that is, and a goroutine for each
// message: a hub that is hostile, or broken, would fill the camera's memory.
const (
	// A message to a camera, with its topic's length, its topic and a packet id.
	mostPublish = 2 + len(wire.Prefix) + 63 + len("/"+wire.DownReceipt) + 2 + max(wire.MaxCommand, wire.MaxReceipt, wire.MaxSmall)

	// Messages are paid for, in bytes. The purse holds what may come at once: 256 small messages, or 48 of the largest.
	mostPurse   = 1 << 20
	messageCost = 4 << 10                               // on top of a message's length: a goroutine, and what decoding leaves behind
	perSecond   = 64 << 10                              // that the purse gets anyway: the hub welcomes, and gives a command at a time
	perPublish  = 2 * (messageCost + wire.MaxReceipt/2) // that it gets for a message of ours, which the hub answers with one, or at times two
)

// errUnruly ends a connection on which the hub sends what no hub does.
var errUnruly = errors.New("the hub does not keep to the protocol")

// limiter is a connection, between outbox and paho, that ends as soon as the hub says that it sends more than a hub has to say.
// Answers are bounded by what they answer: one CONNACK, PUBACK, SUBACK or PINGRESP for each packet that asks for it, so that an
// acknowledgement per chunk is as fast as the link lets it. Messages are bounded by a purse.
//
// To read more slowly instead would be no cure: acknowledgements and pings stand behind what is not read, and the camera
// would stay with a hub that has nothing for it. A connection that ends so is a failed one, and the next comes later.
type limiter struct {
	net.Conn
	received framing // Read's alone
	err      error   // that ended it; Read's alone

	mu    sync.Mutex // paho writes pings from a goroutine of their own
	sent  framing
	owed  [16]int // answers that may come, by type
	purse int     // bytes of messages that may come
	at    time.Time
}

func newLimiter(conn net.Conn) *limiter {
	return &limiter{Conn: conn, purse: mostPurse, at: time.Now()}
}

// Read hands on what is before a packet that is refused, and nothing of that packet from where its length is known.
func (l *limiter) Read(b []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.Conn.Read(b)
	sound, refused := l.received.feed(b[:n], l.take)
	if refused != nil {
		l.err = fmt.Errorf("%w: %w", errUnruly, refused)
		return sound, l.err
	}
	return n, err
}

// Write notes what the hub may answer, and passes it on.
func (l *limiter) Write(b []byte) (int, error) {
	l.mu.Lock()
	_, err := l.sent.feed(b, l.ask)
	l.mu.Unlock()
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	return l.Conn.Write(b)
}

// ask counts the answers to a packet of ours. The caller holds the lock.
func (l *limiter) ask(first byte, _ int) error {
	switch first >> 4 {
	case mqttConnect:
		l.owed[mqttConnack]++
	case mqttSubscribe:
		l.owed[mqttSuback]++
	case mqttPingreq:
		l.owed[mqttPingresp]++
	case mqttPublish:
		if first&6 != 0 { // else nobody acknowledges it
			l.owed[mqttPuback]++
		}
		l.purse = min(l.purse+perPublish, mostPurse)
	}
	return nil
}

// take decides on a packet of the hub's by its fixed header.
func (l *limiter) take(first byte, length int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := first >> 4
	switch kind {
	case mqttPublish:
		return l.pay(first, length)
	case mqttConnack, mqttPuback:
		return l.answer(kind, length, 2)
	case mqttSuback: // to one filter
		return l.answer(kind, length, 3)
	case mqttPingresp:
		return l.answer(kind, length, 0)
	}
	return fmt.Errorf("packet of type %d", kind)
}

func (l *limiter) answer(kind byte, length, want int) error {
	if length != want {
		return fmt.Errorf("packet of type %d and %d bytes, want %d", kind, length, want)
	}
	if l.owed[kind] == 0 {
		return fmt.Errorf("packet of type %d that answers nothing", kind)
	}
	l.owed[kind]--
	return nil
}

// pay lets a message in while there is enough in the purse.
func (l *limiter) pay(first byte, length int) error {
	if first&6 > 2 {
		return errors.New("message with a QoS that was not asked for")
	}
	if length > mostPublish {
		return fmt.Errorf("message of %d bytes, more than %d", length, mostPublish)
	}
	now := time.Now()
	if ms := now.Sub(l.at).Milliseconds(); ms > 0 {
		l.purse = int(min(int64(l.purse)+ms*perSecond/1000, mostPurse))
		l.at = l.at.Add(time.Duration(ms) * time.Millisecond)
	}
	if cost := messageCost + length; cost <= l.purse {
		l.purse -= cost
		return nil
	}
	return errors.New("more messages than a hub has to say")
}
