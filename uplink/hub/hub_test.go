// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A site is a hub with one enrolled camera.
type site struct {
	*hubtest.Hub
	cam *camera.Camera
	tls *tls.Config
	key []byte // the hub's public receipt key
}

func newSite(t *testing.T, setup ...func(*hub.Hub)) *site {
	t.Helper()
	h := hubtest.Start(t, setup...)
	s := &site{Hub: h}
	s.cam, s.tls, s.key = enrol(t, h, "porch")
	return s
}

func enrol(t *testing.T, h *hubtest.Hub, device string) (*camera.Camera, *tls.Config, []byte) {
	t.Helper()
	credential := h.Enroll(t, device)
	cam := camera.New(device)
	cam.Key = h.Identity(t, device).Key()
	return cam, credential.ClientTLS(), credential.ReceiptKey
}

// connect is the camera online, listening to its replies.
func (s *site) connect(t *testing.T) *client {
	t.Helper()
	c := connect(t, s.Addr, s.tls, "porch")
	c.subscribe(wire.Filter("porch"))
	return c
}

func (s *site) wantStored(t *testing.T, device string, records, clips int) {
	t.Helper()
	r, err := s.Device(t, device).Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Records != records || r.Clips != clips {
		t.Errorf("%s: %d records and %d clips are stored, problems %v; want %d and %d", device, r.Records, r.Clips, r.Problems, records, clips)
	}
}

func blob(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)*31 ^ seed
	}
	return b
}

func TestClipIsStoredOnce(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	e := s.cam.Clip(blob(300_000, 1), blob(20_000, 2))
	for n := range 2 {
		if n == 1 { // the receipt got lost: the camera comes back with all of it
			c = s.connect(t)
			c.offer(e)
			c.rest(e, wire.Have{})
		} else {
			c.offer(e)
			c.rest(e, c.have())
		}
		r, err := record.VerifyReceipt(s.key, c.reply(wire.DownReceipt))
		if err != nil || r.Device != "porch" || r.Seq != 1 || r.Clip != e.ID() {
			t.Fatalf("receipt %+v, %v", r, err)
		}
	}
	// The late chunks of the second round are answered by nothing.
	if got, open := c.ping(); len(got) > 0 || !open {
		t.Errorf("%d more messages, open %v", len(got), open)
	}
	s.wantStored(t, "porch", 1, 1)
	d := s.Device(t, "porch")
	if got, err := os.ReadFile(d.ClipPath(e.ID())); err != nil || !bytes.Equal(got, e.Body) {
		t.Errorf("stored clip differs (%v)", err)
	}
}

func TestRestartMidClip(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	e := s.cam.Clip(blob(200_000, 1), blob(1000, 2))
	c.offer(e)
	c.have()
	c.chunk(e, wire.PartBody, 0, 100_000)
	if _, open := c.ping(); !open { // the chunk is taken
		t.Fatal("connection ended")
	}
	s.Restart(t)
	c.ended()

	c = s.connect(t)
	c.offer(e)
	if h := c.have(); h.Body != 100_000 || h.Details != 0 || h.Clip != e.ID() || h.Seq != 1 {
		t.Fatalf("after the restart the hub has %+v", h)
	}
	c.rest(e, wire.Have{Body: 100_000})
	if _, err := record.VerifyReceipt(s.key, c.reply(wire.DownReceipt)); err != nil {
		t.Fatal(err)
	}
	s.wantStored(t, "porch", 1, 1)
}

func TestHoleInChunksIsTold(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	e := s.cam.Clip(blob(3000, 1), blob(10, 2))
	c.offer(e)
	c.have()
	c.chunk(e, wire.PartBody, 0, 1000)
	c.chunk(e, wire.PartBody, 2000, 3000)
	if h := c.have(); h.Body != 1000 {
		t.Fatalf("hub has %+v, want 1000 bytes", h)
	}
	c.rest(e, wire.Have{Body: 1000})
	c.reply(wire.DownReceipt)
	s.wantStored(t, "porch", 1, 1)
}

func TestStatusAndWill(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	b, err := wire.Status{State: wire.Online, Release: "v1"}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	c.publish(wire.Topic("porch", wire.UpStatus), b, 1)
	if _, open := c.ping(); !open {
		t.Error("a status message ended the connection")
	}
	if got := s.Log.Coded(); len(got) > 0 {
		t.Errorf("refused: %+v", got)
	}
}

// A flipped byte in a stored clip is found, and named.
func TestFlippedByteIsFound(t *testing.T) {
	s := newSite(t)
	e := s.cam.Clip(blob(5000, 1), blob(10, 2))
	s.connect(t).send(e)
	d := s.Device(t, "porch")
	path := d.ClipPath(e.ID())
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stored[2500] ^= 1
	if err := os.WriteFile(path, stored, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := d.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) != 1 || r.Problems[0].Fault != archive.Hash || r.Problems[0].Path != path {
		t.Errorf("problems %v, want the clip's hash", r.Problems)
	}
}

// Clients that say nothing, at any stage, do not hold up the hub's end.
func TestEndsWithHalfOpenConnections(t *testing.T) {
	s := newSite(t)
	silent, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dial(t, s.Addr, s.tls, "porch") // no CONNECT
	c := s.connect(t)
	c.offer(s.cam.Clip(blob(100, 1), nil))
	c.have()
	s.Stop(t) // fails the test when the hub does not end
	c.ended()
}

func TestFolderHoldsNothingElse(t *testing.T) {
	s := newSite(t)
	s.connect(t).send(s.cam.Clip(blob(100, 1), nil))
	s.Stop(t)
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 && e.Name() != "index.db" {
			t.Errorf("%s is open to others: %v (%v)", e.Name(), info.Mode(), err)
		}
	}
	want := []string{
		"ca-next.crt", "ca-next.key", "ca.crt", "ca.key", "devices", "hub.crt", "hub.key", "incoming", "index.db", "receipt-next.key", "receipt.key",
		"reserve", "status.json", "tokens",
	}
	if !slices.Equal(names, want) {
		t.Errorf("folder holds %q, want %q", names, want)
	}
}

func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hub")
	if _, err := hub.New(hub.Config{Dir: dir, Listen: "127.0.0.1:0"}, slog.Default()); !errors.Is(err, hub.ErrNoHub) {
		t.Errorf("New before Init: %v", err)
	}
	if err := hub.Init(dir, []string{"hub.local", "192.0.2.7"}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Init(dir, nil); !errors.Is(err, hub.ErrInitialised) {
		t.Errorf("second Init: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "ca.key")); !bytes.Equal(before, after) {
		t.Error("the second Init changed the CA's key")
	}
	// An Init that was cut before ca.crt is begun again.
	if err := os.Remove(filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	if err := hub.Init(dir, nil); err != nil {
		t.Errorf("Init after a cut: %v", err)
	}
}

// A starving listener fails for a while, as one does that has no file descriptors left.
type starving struct {
	net.Listener
	failures int
}

func (l *starving) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestAcceptGoesOnAfterFailures(t *testing.T) {
	dir := t.TempDir()
	if err := hub.Init(dir, nil); err != nil {
		t.Fatal(err)
	}
	h, err := hub.New(hub.Config{Dir: dir, Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- hub.Accept(ctx, h, &starving{l, 3}) }()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("after the failures: %v", err)
	}
	conn.Close()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("accept loop does not end")
	}
}
