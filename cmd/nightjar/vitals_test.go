// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/board/privacy"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/synthetic"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// fakeSession is in the state that it is told.
type fakeSession struct{ st uplink.Status }

func (f *fakeSession) Status() uplink.Status { return f.st }

// fakeBuffer has the trouble that it is told.
type fakeBuffer struct{ spool.Trouble }

func (f fakeBuffer) Status() spool.BufferStatus { return spool.BufferStatus{Trouble: f.Trouble} }

// newTestVitals returns the task over a real camera, a real spool, and a session that does as it is told.
func newTestVitals(t *testing.T) (*vitals, *fakeSession, *clock.Fake) {
	t.Helper()
	dir := t.TempDir()
	s, _, _ := newTestSink(t, dir)
	adapter, err := synthetic.New(synthetic.Config{Width: 160, Height: 90, Rate: capture.Rate{Num: 15, Den: 1}, Speed: 1, Held: 1 << 20})
	c := path(t, adapter, err)
	session := &fakeSession{uplink.Status{Connected: true}}
	cfg := config.Default()
	cfg.State = dir
	cfg.Clip.RingBytes = 1 << 40 // the memory of all tests together is no trouble of these
	wall := s.clock.(*clock.Fake)
	return &vitals{
		cfg: cfg, record: c.health, camera: c, session: session, spool: s.spool, buffer: s.buffer, clock: wall,
		log: slog.New(slog.DiscardHandler), ready: make(chan struct{}), status: status{Version: statusVersion, PID: os.Getpid()},
		curtain: openCurtain(privacy.DefaultConfig(), cfg.State, wall, func(string, string, string) {}, c.health, slog.New(slog.DiscardHandler)), wires: &wires{},
		credential: func() keys.Credential {
			return keys.Credential{Device: "porch", TLS: tls.Certificate{Leaf: &x509.Certificate{NotAfter: noon.Add(60 * 24 * time.Hour)}}}
		},
	}, session, wall
}

func (v *vitals) codes() string {
	var all []string
	for _, t := range v.status.Troubles {
		all = append(all, string(t.Code))
	}
	return strings.Join(all, " ")
}

// Each trouble is seen with the next look after its cause, and is over with the next one after that is gone.
func TestTroublesComeAndGo(t *testing.T) {
	for code, row := range map[health.Code]struct {
		cause, mend func(*vitals, *fakeSession, *clock.Fake)
	}{
		health.HubUnreachable: {
			func(_ *vitals, s *fakeSession, _ *clock.Fake) {
				s.st = uplink.Status{Err: errors.New("no route to host")}
			},
			func(_ *vitals, s *fakeSession, _ *clock.Fake) { s.st = uplink.Status{Connected: true} }},
		health.EntryRefused: {
			func(_ *vitals, s *fakeSession, _ *clock.Fake) {
				s.st = uplink.Status{Connected: true, Err: errors.New("entry 3: malformed")}
			},
			func(_ *vitals, s *fakeSession, _ *clock.Fake) { s.st = uplink.Status{Connected: true} }},
		health.CertificateEnds: {
			func(_ *vitals, _ *fakeSession, c *clock.Fake) {
				c.Set(clock.Wall{Time: noon.Add(46 * 24 * time.Hour), Quality: clock.Synced})
			},
			func(_ *vitals, _ *fakeSession, c *clock.Fake) { c.Set(clock.Wall{Time: noon, Quality: clock.Synced}) }},
		health.ClockUnset: {
			func(_ *vitals, _ *fakeSession, c *clock.Fake) {
				c.Set(clock.Wall{Time: time.Unix(0, 0), Quality: clock.Unset})
			},
			func(_ *vitals, _ *fakeSession, c *clock.Fake) { c.Set(clock.Wall{Time: noon, Quality: clock.Synced}) }},
		health.CameraStalled: {
			func(v *vitals, _ *fakeSession, _ *clock.Fake) {
				v.camera.start = time.Now().Add(-time.Hour)
				v.camera.seen.Store(int64(time.Hour - 2*stalled))
			},
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.camera.seen.Store(int64(time.Since(v.camera.start))) }},
		health.FramesDropped: {
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.camera.frames.Add(100); v.camera.dropped.Add(10) },
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.rates = nil }},
		health.SpoolFull: {
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.status.Spool.MaxBytes = 1 },
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.status.Spool.MaxBytes = 1 << 30 }},
		health.CardFails: {
			func(v *vitals, _ *fakeSession, _ *clock.Fake) {
				v.buffer = fakeBuffer{spool.Trouble{Code: spool.TroubleError, Err: errors.New("input/output error")}}
			},
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.buffer = fakeBuffer{} }},
		health.MemoryHigh: {
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.cfg.Clip.RingBytes = -64 << 20 },
			func(v *vitals, _ *fakeSession, _ *clock.Fake) { v.cfg.Clip.RingBytes = 1 << 40 }},
	} {
		t.Run(string(code), func(t *testing.T) {
			v, session, wall := newTestVitals(t)
			if code == health.SpoolFull {
				fill(t, v)
				v.status.Spool.MaxBytes = 1 << 30
			}
			now := time.Now()
			v.look(now)
			if got := v.codes(); got != "" {
				t.Fatalf("in trouble from the start: %s", got)
			}
			row.cause(v, session, wall)
			v.look(now.Add(time.Second))
			if got := v.codes(); got != string(code) {
				t.Fatalf("troubles are %q, want %s", got, code)
			}
			row.mend(v, session, wall)
			v.look(now.Add(2 * time.Second))
			if got := v.codes(); got != "" {
				t.Errorf("still in trouble: %s", got)
			}
			if n := len(v.status.Events); n != 2 {
				t.Errorf("%d events, want begin and end", n)
			}
		})
	}
}

// fill puts a clip into the spool.
func fill(t *testing.T, v *vitals) {
	t.Helper()
	d, err := v.spool.Create("aa")
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Part(partBody)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Write(make([]byte, 1000))
	if err = errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(func(uint64, [32]byte, []spool.Part) ([]byte, error) { return []byte("record"), nil }); err != nil {
		t.Fatal(err)
	}
}

func TestTamperingIsATrouble(t *testing.T) {
	v, _, _ := newTestVitals(t)
	for kind, code := range map[string]health.Code{motion.Black: health.PictureBlack, motion.Frozen: health.PictureFrozen, motion.Moved: health.CameraMoved} {
		v.camera.report(kind, time.Second)
		if v.look(time.Now()); v.codes() != string(code) {
			t.Errorf("%s gives %q, want %s", kind, v.codes(), code)
		}
		v.camera.report("", 2*time.Second)
		if v.look(time.Now()); v.codes() != "" {
			t.Errorf("%s is still there", code)
		}
	}
}

func TestFrameRateIsMeasured(t *testing.T) {
	v, _, _ := newTestVitals(t)
	now := time.Now()
	for i := range 20 {
		v.look(now.Add(time.Duration(i) * time.Second))
		v.camera.frames.Add(15)
	}
	if got := v.status.Camera.Rate; got != 15 {
		t.Errorf("rate is %v, want 15", got)
	}
}

// The status is there while the agent runs, and can be read as what it was.
func TestStatusFileLivesWithTheTask(t *testing.T) {
	v, session, _ := newTestVitals(t)
	ctx, cancel := context.WithCancel(t.Context())
	session.st = uplink.Status{Err: errors.New("no route to host")}
	file := statusFile(v.cfg)
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error)
		go func() { done <- v.Run(ctx) }()
		time.Sleep(1500 * time.Millisecond)
		s, err := readStatus(v.cfg)
		if err != nil || len(s.Troubles) != 1 || s.Troubles[0].Code != health.HubUnreachable {
			t.Errorf("read %+v, %v", s.Troubles, err)
		}
		var out bytes.Buffer
		if err := s.print(&out); err != nil || !strings.Contains(out.String(), "no route to host\n  -> clips wait") {
			t.Errorf("%v, printed\n%s", err, out.String())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}

// A status that another process left by being killed is nobody's.
func TestStatusOfTheDeadIsRefused(t *testing.T) {
	cfg := config.Default()
	cfg.Run = t.TempDir()
	for _, row := range []struct {
		text, want string
	}{
		{`{"v":1,"pid":4194999}`, "ended without a word"},
		{`{"v":2,"pid":1}`, "another version"},
		{`{"v":1,`, "unexpected end"},
	} {
		if err := os.WriteFile(statusFile(cfg), []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readStatus(cfg); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.text, err, row.want)
		}
	}
}

func TestStatusThatCannotBeWrittenIsSaidOnce(t *testing.T) {
	v, _, _ := newTestVitals(t)
	var log bytes.Buffer
	v.log = slog.New(slog.NewTextHandler(&log, nil))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		v.write(filepath.Join(file, "status.json"))
	}
	if n := strings.Count(log.String(), "nightjar status"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}
