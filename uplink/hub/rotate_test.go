// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

// rotate rotates the hub's keys and starts it again.
func rotate(t *testing.T, h *hubtest.Hub, force bool) {
	t.Helper()
	if err := hub.Rotate(h.Dir, force); err != nil {
		t.Fatal(err)
	}
	h.Restart(t)
}

// absent gives a credential a certificate of the hub's present CA that ran out a year ago.
func absent(t *testing.T, h *hubtest.Hub, c keys.Credential) keys.Credential {
	t.Helper()
	cfg := new(tls.Config)
	use(t, cfg, h.Dir, &x509.Certificate{
		Subject: pkix.Name{CommonName: c.Device}, NotBefore: time.Now().AddDate(-1, 0, -60), NotAfter: time.Now().AddDate(-1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	cert, err := cfg.GetClientCertificate(nil)
	if err == nil {
		cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	c.TLS = *cert
	return c
}

// wantShips checks that the hub lets the camera in, and that the camera takes the hub's receipt.
func wantShips(t *testing.T, h *hubtest.Hub, c keys.Credential) {
	t.Helper()
	connect(t, h.Addr, c.ClientTLS(), c.Device)
	inner, err := hub.New(hub.Config{Dir: h.Dir, Listen: ":0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := record.SignReceipt(hub.ReceiptKey(inner), record.Receipt{Version: record.Version, Device: c.Device, Seq: 1,
		Record: strings.Repeat("00", 32), Stored: time.UnixMilli(0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.VerifyReceiptAny(c.ReceiptKeys(), jws); err != nil {
		t.Error(err)
	}
}

// One camera is online when the hub's keys rotate, one is away for a year, one for two rotations.
func TestRotation(t *testing.T) {
	h := hubtest.Start(t)
	online, before := h.Enroll(t, "porch"), h.Enroll(t, "yard")
	away := absent(t, h, before)
	rotate(t, h, false)

	// Online: its certificate, of the former CA, counts; the next renewal brings it to the new CA and spare.
	wantShips(t, h, online)
	renewed, err := enroll.Renew(t.Context(), online, h.Identity(t, "porch"))
	if err != nil {
		t.Fatal(err)
	}
	if !renewed.CA.Equal(online.NextCA) || renewed.NextCA.Equal(online.NextCA) || !renewed.ReceiptKey.Equal(online.NextReceiptKey) {
		t.Errorf("renewed from %v to %v", online.CAs(), renewed.CAs())
	}
	wantShips(t, h, renewed)

	// Away for a year: its certificate is worth nothing, its identity is.
	back, err := enroll.Renew(t.Context(), away, h.Identity(t, "yard"))
	if err != nil {
		t.Fatal(err)
	}
	wantShips(t, h, back)

	// The mutant: a camera that knows of no spare is lost after one rotation.
	mutant := away
	mutant.NextCA, mutant.NextReceiptKey = nil, nil
	if got, err := enroll.Renew(t.Context(), mutant, h.Identity(t, "yard")); !errors.Is(err, enroll.ErrNotOurHub) {
		t.Errorf("mutant: without a spare the camera renews: %v, %v", got, err)
	}

	// A second rotation so soon is refused; forced, it leaves behind who was away for both, and says what to do.
	if err := hub.Rotate(h.Dir, false); !errors.Is(err, hub.ErrOverlap) {
		t.Errorf("second rotation: %v, want %v", err, hub.ErrOverlap)
	}
	rotate(t, h, true)
	wantShips(t, h, renewed)
	if got, err := enroll.Renew(t.Context(), away, h.Identity(t, "yard")); !errors.Is(err, enroll.ErrNotOurHub) || !strings.Contains(err.Error(), "token") {
		t.Errorf("away for two rotations: %v, %v", got, err)
	}
	again, err := enroll.Enroll(t.Context(), h.Addr, h.Token(t, "yard"), h.Identity(t, "yard"))
	if err != nil {
		t.Fatalf("enrolling again keeps name and identity: %v", err)
	}
	wantShips(t, h, again)
}

// Retired, the former CA lets nobody in any more; cameras of it renew and are back.
func TestRetire(t *testing.T) {
	h := hubtest.Start(t)
	c := h.Enroll(t, "porch")
	if err := hub.Retire(h.Dir); err == nil {
		t.Error("retired a CA before there was a former one")
	}
	rotate(t, h, false)
	if err := hub.Retire(h.Dir); err != nil {
		t.Fatal(err)
	}
	h.Restart(t)
	wantDeaf(t, dial(t, h.Addr, c.ClientTLS(), "porch"))
	h.Log.Await(t, string(hub.RefusedForeignCA))
	fresh, err := enroll.Renew(t.Context(), c, h.Identity(t, "porch"))
	if err != nil {
		t.Fatal(err)
	}
	wantShips(t, h, fresh)
}

// A token of before the rotation names the former CA: it is refused, and the text says what to do.
func TestTokenOfBeforeARotation(t *testing.T) {
	h := hubtest.Start(t)
	token := h.Token(t, "porch")
	rotate(t, h, false)
	if _, err := enroll.Enroll(t.Context(), h.Addr, token, h.Identity(t, "porch")); !errors.Is(err, enroll.ErrPin) {
		t.Errorf("error %v, want %v", err, enroll.ErrPin)
	}
	h.Enroll(t, "porch")
}

func TestTrust(t *testing.T) {
	h := hubtest.Start(t)
	first, err := hub.LoadTrust(h.Dir)
	if err != nil || first.Next == nil || first.Old != nil || !first.OldUntil.IsZero() {
		t.Errorf("at first: %+v, %v", first, err)
	}
	if first.Next.NotAfter.Before(first.CA.NotAfter.AddDate(19, 0, 0)) {
		t.Errorf("the spare ends on %v, with or soon after the CA on %v", first.Next.NotAfter, first.CA.NotAfter)
	}
	rotate(t, h, false)
	then, err := hub.LoadTrust(h.Dir)
	if err != nil || !then.CA.Equal(first.Next) || !then.Old.Equal(first.CA) || then.Next.Equal(first.Next) {
		t.Errorf("after a rotation: %+v, %v", then, err)
	}
	if left := time.Until(then.OldUntil); left > hub.DeviceLifetime || left < hub.DeviceLifetime-time.Minute {
		t.Errorf("the former CA counts for %v", left)
	}
}
