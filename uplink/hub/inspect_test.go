// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

func TestReach(t *testing.T) {
	h, other := hubtest.Start(t), hubtest.Start(t)
	ca, server, err := hub.Certificates(h.Dir)
	if err != nil || !ca.IsCA || server.IsCA {
		t.Fatalf("certificates %v, %v, %v", ca, server, err)
	}
	if err := hub.Reach(t.Context(), h.Addr, ca); err != nil {
		t.Error(err)
	}
	if err := hub.Reach(t.Context(), other.Addr, ca); err == nil {
		t.Error("another hub is taken for ours")
	}
	_, port, _ := net.SplitHostPort(h.Addr)
	if err := hub.Reach(t.Context(), ":"+port, ca); err != nil {
		t.Errorf("by the address of all interfaces: %v", err)
	}
	h.Stop(t)
	if err := hub.Reach(t.Context(), h.Addr, ca); err == nil {
		t.Error("a stopped hub is reached")
	}
}

func TestCertificatesOfAnotherHub(t *testing.T) {
	h, other := hubtest.Start(t), hubtest.Start(t)
	for _, name := range []string{"hub.crt", "hub.key"} {
		b, err := os.ReadFile(filepath.Join(other.Dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(h.Dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := hub.Certificates(h.Dir); err == nil {
		t.Error("a server certificate of another authority is fine")
	}
}
