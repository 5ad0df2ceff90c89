// SPDX-License-Identifier: Apache-2.0

// Package hubtest runs a real hub inside a test: [Start] one, [Hub.Enroll] a device, and connect to
// [Hub.Addr]. Everything is the real thing, the sockets and the certificates, too; only the folder is
// temporary.
package hubtest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// A Hub runs until the test ends.
type Hub struct {
	Dir  string // its folder
	Addr string // host:port on the loopback interface; kept through a restart
	Log  *Log   // what it logged

	setup      []func(*hub.Hub)
	cancel     context.CancelFunc
	done       chan error
	mu         sync.Mutex
	identities map[string]keys.Identity
}

// Start makes a hub in a temporary folder and returns once it accepts connections. setup is applied to
// it, and again after each restart, before it runs.
func Start(t testing.TB, setup ...func(*hub.Hub)) *Hub {
	t.Helper()
	h := &Hub{Dir: t.TempDir(), Addr: "127.0.0.1:0", Log: newLog(t),
		setup: setup, identities: map[string]keys.Identity{}}
	if err := hub.Init(h.Dir, nil); err != nil {
		t.Fatal(err)
	}
	h.run(t)
	t.Cleanup(func() { h.Stop(t) })
	return h
}

func (h *Hub) run(t testing.TB) {
	t.Helper()
	inner, err := hub.New(hub.Config{Dir: h.Dir, Listen: h.Addr}, slog.New(h.Log))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range h.setup {
		f(inner)
	}
	// Not the test's context: that one ends before the test's clean-up asks how the hub ended.
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.done = cancel, make(chan error, 1)
	go func() { h.done <- inner.Run(ctx) }()
	select {
	case <-inner.Ready():
		h.Addr = inner.Addr().String()
	case err := <-h.done:
		t.Fatalf("hub ended at start: %v", err)
	}
}

// Stop ends the hub and waits for it; ending it again does nothing. A hub that does not end within ten
// seconds, or with an error, fails the test.
func (h *Hub) Stop(t testing.TB) {
	t.Helper()
	if h.cancel == nil {
		return
	}
	h.cancel()
	h.cancel = nil
	select {
	case err := <-h.done:
		if err != nil {
			t.Errorf("hub ended: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("hub does not end")
	}
}

// Restart ends the hub and starts it again on the same folder and address.
func (h *Hub) Restart(t testing.TB) {
	t.Helper()
	h.Stop(t)
	h.run(t)
}

// Token makes an enrolment token for a device.
func (h *Hub) Token(t testing.TB, device string) enroll.Token {
	t.Helper()
	word, err := hub.NewToken(h.Dir, device, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	token, err := enroll.ParseToken(word)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Enroll enrols a device with an identity of its own, which Identity returns, and returns its credential.
func (h *Hub) Enroll(t testing.TB, device string) keys.Credential {
	t.Helper()
	credential, err := enroll.Enroll(t.Context(), h.Addr, h.Token(t, device), h.Identity(t, device))
	if err != nil {
		t.Fatalf("enrol %s: %v", device, err)
	}
	return credential
}

// Identity is the key that signs a device's records. It is made at the first call for the device.
func (h *Hub) Identity(t testing.TB, device string) keys.Identity {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	id, ok := h.identities[device]
	if !ok {
		var err error
		if id, err = keys.NewIdentity(); err != nil {
			t.Fatal(err)
		}
		h.identities[device] = id
	}
	return id
}

// Device reads a device's part of the hub's store.
func (h *Hub) Device(t testing.TB, id string) *archive.Device {
	t.Helper()
	a, err := archive.Open(h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := a.Device(id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
