// SPDX-License-Identifier: Apache-2.0

package hubtest

import (
	"crypto/tls"
	"log/slog"
	"testing"
)

func TestHub(t *testing.T) {
	h := Start(t)
	c := h.Enroll(t, "porch")
	if c.Device != "porch" || c.Hub != h.Addr || !h.Device(t, "porch").Identity.Equal(h.Identity(t, "porch").Public()) {
		t.Errorf("%v at %s", c, h.Addr)
	}
	before := h.Addr
	h.Restart(t)
	conn, err := tls.Dial("tcp", before, c.ClientTLS())
	if err != nil {
		t.Fatalf("after the restart: %v", err)
	}
	conn.Close()
	h.Stop(t)
	h.Stop(t)
	if conn, err := tls.Dial("tcp", before, c.ClientTLS()); err == nil {
		conn.Close()
		t.Error("a stopped hub answers")
	}
}

func TestLog(t *testing.T) {
	l := newLog(t)
	log := slog.New(l).With("code", "outer").WithGroup("g")
	log.Warn("one", "err", "why")
	log.Debug("two")
	slog.New(l).Warn("no code")
	if m := l.Await(t, "outer"); m.Text != "one" || m.Error != "why" {
		t.Errorf("message %+v", m)
	}
	if got := l.Coded(); len(got) != 1 {
		t.Errorf("warnings %+v", got)
	}
}
