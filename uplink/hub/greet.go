// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

const (
	breath      = 4 * time.Second // a device hears from a busy hub at least so often; it gives up after 14 s of silence
	perSecond   = 25              // devices that are to come back within a second, when all of them do at once
	countMaxAge = time.Minute     // of the number of devices
)

// A greeter tells devices that the hub is there, what time it is, and how many they are.
type greeter struct {
	tell  func(device string, kind wire.Kind, payload []byte) bool
	count func() int // enrolled devices
	every time.Duration

	mu      sync.Mutex
	devices int       // what count said
	counted time.Time // and when
}

// welcome sends a device the hub's time.
func (g *greeter) welcome(device string) {
	spread := min(g.enrolled()/perSecond, int(wire.MaxSpread/time.Second))
	payload, err := wire.Welcome{Time: time.Now().UTC().Truncate(time.Millisecond), Spread: spread}.Marshal()
	if err != nil { // the hub's clock shows a year that nobody lives in
		return
	}
	_ = g.tell(device, wire.DownWelcome, payload)
}

// enrolled counts the devices, but not for each of a thousand that come back at once.
func (g *greeter) enrolled() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.counted.IsZero() || now.Sub(g.counted) > countMaxAge {
		g.devices, g.counted = g.count(), now
	}
	return g.devices
}

// reassure welcomes the client again and again until done: while one of its messages is worked on, as a large clip that is
// hashed for a minute, the broker reads no others from it and answers no pings.
func (g *greeter) reassure(cl *mqtt.Client) (done func()) {
	var mu sync.Mutex
	ended := false
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(g.every, func() {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return
		}
		// The broker sets both deadlines by the client's keep-alive, and anew only when it reads.
		_ = cl.Net.Conn.SetWriteDeadline(time.Now().Add(2 * g.every))
		g.welcome(cl.ID)
		timer.Reset(g.every)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
		timer.Stop()
	}
}

// devices counts those that are enrolled.
func (in *ingest) devices() int {
	all, err := in.store.Archive().Devices()
	if err != nil {
		return 0
	}
	return len(all)
}
