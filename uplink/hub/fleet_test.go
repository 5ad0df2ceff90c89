// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A member is a camera of the fleet.
type member struct {
	name string
	cam  *camera.Camera
	tls  *tls.Config
	key  []byte
}

// forEach runs f for 0 to n-1, some at a time, and returns when all have returned.
func forEach(n, atATime int, f func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, atATime)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

// TestFleet has a fleet come back after an outage: all cameras have a session at the same time, and each
// sends a clip and gets its receipt. NIGHTJAR_FLEET says how many there are. The figures it prints are
// those of this machine and this process, which is the cameras, too.
func TestFleet(t *testing.T) {
	n := 50
	if text := os.Getenv("NIGHTJAR_FLEET"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("NIGHTJAR_FLEET=%s: %v", text, err)
		}
	} else if testing.Short() {
		n = 10
	}
	h := hubtest.Start(t, hub.Connections(n+n/5))
	fleet := make([]member, n)
	forEach(n, 16, func(i int) {
		name := fmt.Sprintf("cam-%04d", i)
		cam, cfg, key := enrol(t, h, name)
		fleet[i] = member{name, cam, cfg, key}
	})
	h.Restart(t)

	began := time.Now()
	clients := make([]*client, n)
	forEach(n, 64, func(i int) {
		m := fleet[i]
		clients[i] = connect(t, h.Addr, m.tls, m.name)
		clients[i].subscribe(wire.Filter(m.name))
	})
	if t.Failed() {
		return
	}
	online := time.Since(began)
	var receipts atomic.Int64
	forEach(n, n, func(i int) {
		m := fleet[i]
		e := m.cam.Clip(blob(100_000, byte(i)), blob(2000, byte(i)))
		r, err := record.VerifyReceipt(m.key, clients[i].send(e))
		if err != nil || r.Device != m.name || r.Clip != e.ID() {
			t.Errorf("%s: receipt %+v, %v", m.name, r, err)
		}
		receipts.Add(1)
	})
	took := time.Since(began) - online
	for _, c := range clients {
		if _, open := c.ping(); !open {
			t.Errorf("%s: its session ended", c.device)
		}
	}
	if int(receipts.Load()) != n {
		t.Errorf("%d of %d cameras have a receipt", receipts.Load(), n)
	}
	for _, m := range fleet {
		if r, err := h.Device(t, m.name).Verify(t.Context()); err != nil || !r.OK() || r.Clips != 1 {
			t.Errorf("%s: %+v, %v", m.name, r, err)
		}
	}
	t.Logf("sessions=%d online_s=%.1f clips=%d store_s=%.1f clips_per_s=%.0f lost=0", n, online.Seconds(), n, took.Seconds(), float64(n)/took.Seconds())
}
