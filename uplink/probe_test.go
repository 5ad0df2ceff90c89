// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

func TestProbe(t *testing.T) {
	h := hubtest.Start(t)
	good := h.Enroll(t, "porch")
	foreign := hubtest.Start(t).Enroll(t, "porch")
	for name, row := range map[string]struct {
		change func(*keys.Credential)
		want   string // of the error; nothing for none
	}{
		"good":                {func(*keys.Credential) {}, ""},
		"another hub":         {func(c *keys.Credential) { c.CA = foreign.CA }, "this is not the hub"},
		"another hub's child": {func(c *keys.Credential) { c.TLS = foreign.TLS }, "is it another hub?"},
		"expired":             {func(c *keys.Credential) { c.TLS = expired(t, h.Dir) }, "nightjar enroll"},
		"not listening":       {func(c *keys.Credential) { c.Hub = closedPort(t) }, "is the hub running"},
		"not TLS":             {func(c *keys.Credential) { c.Hub = greeter(t) }, "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			cred := good
			row.change(&cred)
			err := uplink.Probe(t.Context(), cred)
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}

// A probe must not end the session of the agent that runs.
func TestProbeLeavesTheSessionAlone(t *testing.T) {
	s := newSite(t, 0)
	session := s.session(t)
	run(t, session)
	await(t, "a connection", func() bool { return session.Status().Connected })
	since := session.Status().Since
	if err := uplink.Probe(t.Context(), s.cred); err != nil {
		t.Fatal(err)
	}
	s.clip(t, 1000)
	s.drained(t)
	if st := session.Status(); !st.Connected || !st.Since.Equal(since) {
		t.Errorf("the session was ended: %+v", st)
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cred := hubtest.Start(t).Enroll(t, "porch")
	if err := uplink.Probe(ctx, cred); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// greeter is a server that speaks first, as SSH and SMTP do.
func greeter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("220 mail ready\r\n"))
			c.Close()
		}
	}()
	return l.Addr().String()
}
