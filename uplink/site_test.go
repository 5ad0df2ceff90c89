// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// limit is how long a test waits for what must come. It is no measure of speed.
const limit = 20 * time.Second

// site is a camera's spool and the hub that the camera is enrolled at.
type site struct {
	hub   *hubtest.Hub
	cred  keys.Credential
	spool *spool.Spool
	cam   *camera.Camera
	clips int
}

// newSite makes a site whose spool holds maxBytes, 0 for any number.
func newSite(t testing.TB, maxBytes int64) *site {
	t.Helper()
	s := &site{hub: hubtest.Start(t)}
	s.cred = s.hub.Enroll(t, "porch")
	s.cam = camera.New("porch")
	s.cam.Key = s.hub.Identity(t, "porch").Key()
	var err error
	s.spool, err = spool.Open(t.TempDir(), spool.Config{MaxBytes: maxBytes, Evicted: func(e spool.Entry) spool.SignFunc {
		return s.sign(func() camera.Entry { return s.cam.Loss(record.Evicted, e.ID) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.spool.Close() })
	return s
}

// sign lets the camera sign when the spool asks. Both count the chain's records for themselves.
func (s *site) sign(make func() camera.Entry) spool.SignFunc {
	return func(seq uint64, prev [32]byte, _ []spool.Part) ([]byte, error) {
		e := make()
		if e.Seq != seq || e.Prev != fmt.Sprintf("%x", prev) {
			return nil, fmt.Errorf("spool is at record %d on %x, camera at %d on %s", seq, prev, e.Seq, e.Prev)
		}
		return e.JWS, nil
	}
}

// clip commits a clip of random bytes.
func (s *site) clip(t testing.TB, size int) spool.Entry {
	t.Helper()
	s.clips++
	id := fmt.Sprintf("%032x", s.clips)
	body, details := make([]byte, size), []byte("details of "+id)
	random := rand.NewChaCha8([32]byte{byte(s.clips)})
	if _, err := random.Read(body); err != nil {
		t.Fatal(err)
	}
	d, err := s.spool.Create(id)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"clip": body, "details": details} {
		w, err := d.Part(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(b)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	e, err := d.Commit(s.sign(func() camera.Entry {
		return s.cam.ClipWith(body, details, func(r *record.Record) { r.Clip.ID = id })
	}))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// loss commits the record of a loss.
func (s *site) loss(t testing.TB) spool.Entry {
	t.Helper()
	e, err := s.spool.Append("", s.sign(func() camera.Entry { return s.cam.Loss(record.Overflow, "") }))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// session makes one that wastes no time. What it logs is part of the output of a test, not of a benchmark.
func (s *site) session(t testing.TB) *uplink.Session {
	return s.sessionWith(t, uplink.Config{Release: "test", Boot: "boot", Body: "clip", Details: "details"})
}

func (s *site) sessionWith(t testing.TB, cfg uplink.Config) *uplink.Session {
	log := slog.New(slog.DiscardHandler)
	if _, ok := t.(*testing.T); ok {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	session := uplink.New(cfg, s.cred, s.spool, log)
	session.Hurry()
	return session
}

// run runs a session until stop is called or the test ends. Then it must return, and leave nothing running.
func run(t testing.TB, session *uplink.Session) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- session.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("session ended: %v", err)
			}
		case <-time.After(limit):
			t.Error("session does not end")
		}
		await(t, "the session's goroutines to end", func() bool { return !running() })
	})
	t.Cleanup(stop)
	return stop
}

// running tells whether a goroutine of the session or its MQTT client is left.
func running() bool {
	stacks := make([]byte, 1<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return strings.Contains(text, "nightjar/uplink.(*") || strings.Contains(text, "paho.mqtt.golang.")
}

// await waits until ok.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// drained waits until the spool is empty.
func (s *site) drained(t testing.TB) {
	t.Helper()
	end := time.After(limit)
	for {
		changed := s.spool.Changed()
		n, _ := s.spool.Usage()
		if n == 0 {
			return
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("%d entries are still in the spool", n)
		}
	}
}

// wantStored checks what the hub has: every record of the chain, and so many whole clips.
func (s *site) wantStored(t *testing.T, clips int) {
	t.Helper()
	report, err := s.hub.Device(t, "porch").Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head, _ := s.spool.Head()
	if !report.OK() || report.Records != int(head) || report.Clips != clips {
		t.Errorf("the hub has %+v, want %d records and %d clips", report, head, clips)
	}
}

// proxy stands between camera and hub, and breaks the first connection.
type proxy struct {
	addr string
	sent atomic.Int64 // bytes from the camera, over all connections
}

// newProxy stalls the first connection after so many bytes from the camera, calls stalled, and then breaks it.
func newProxy(t testing.TB, hub string, after int64, stalled func()) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for first := true; ; first = false {
			camera, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", hub)
			if err != nil {
				camera.Close()
				continue
			}
			all.Go(func() { io.Copy(camera, far); camera.Close() })
			var from io.Reader = camera
			if first {
				from = io.LimitReader(camera, after)
			}
			pump := func(end func()) {
				n, _ := io.Copy(far, from)
				p.sent.Add(n)
				end()
				far.Close()
				camera.Close()
			}
			if first {
				pump(stalled)
				continue
			}
			all.Go(func() { pump(func() {}) })
		}
	})
	return p
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// closedPort is an address where nothing listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}
