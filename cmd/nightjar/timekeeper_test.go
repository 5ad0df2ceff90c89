// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/keys"
)

func TestTimekeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	floor, err := clock.OpenFloor(path, written)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	until := time.Now().AddDate(1, 0, 0)
	system := &clock.Fake{} // of a board that has no time source
	system.Set(clock.Wall{Time: time.Now(), Quality: clock.Free})
	told := clock.NewTold(floor, system)
	k := newTimekeeper(floor, told, func() keys.Credential {
		return keys.Credential{TLS: tls.Certificate{Leaf: &x509.Certificate{NotAfter: until}}}
	}, slog.New(slog.NewTextHandler(&log, nil)))

	k.welcome(until.Add(time.Hour))
	k.welcome(written.Add(-time.Hour))
	if n := strings.Count(log.String(), "code=clock-hub-refused"); n != 2 {
		t.Errorf("%d lies were told of:\n%s", n, &log)
	}
	hub := time.Now().AddDate(0, 6, 0)
	k.welcome(hub)
	now := told.Now()
	if now.Quality != clock.Hub || now.Time.Before(hub) || !strings.Contains(log.String(), "code=clock-step") {
		t.Errorf("time %v after the hub said %v:\n%s", now, hub, &log)
	}
	// The end of the agent keeps it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Run(ctx); err != nil {
		t.Error(err)
	}
	again, err := clock.OpenFloor(path, written)
	if err != nil || again.At().Before(hub.Add(-time.Second)) {
		t.Errorf("the next start knows of %v, %v", again.At(), err)
	}
}
