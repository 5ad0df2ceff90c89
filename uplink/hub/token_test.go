// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

func identity(t *testing.T) keys.Identity {
	t.Helper()
	id, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestEnrol(t *testing.T) {
	h := hubtest.Start(t)
	c := h.Enroll(t, "porch")
	leaf, err := x509.ParseCertificate(c.TLS.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	left := time.Until(leaf.NotAfter)
	if leaf.Subject.CommonName != "porch" || left > hub.DeviceLifetime || left < hub.DeviceLifetime-time.Hour {
		t.Errorf("certificate of %q for %v", leaf.Subject.CommonName, left)
	}
	if !h.Device(t, "porch").Identity.Equal(h.Identity(t, "porch").Public()) {
		t.Error("the store holds another identity")
	}
	// The same camera may come again, with a new token, for a new certificate.
	h.Enroll(t, "porch")
}

// refusedEnrolment checks what device and log are told.
func refusedEnrolment(t *testing.T, h *hubtest.Hub, token enroll.Token, id keys.Identity, want error) {
	t.Helper()
	if _, err := enroll.Enroll(t.Context(), h.Addr, token, id); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	wantRefused(t, h, hub.RefusedEnrolment)
}

func TestSecondUseOfToken(t *testing.T) {
	h := hubtest.Start(t)
	token := h.Token(t, "porch")
	if _, err := enroll.Enroll(t.Context(), h.Addr, token, h.Identity(t, "porch")); err != nil {
		t.Fatal(err)
	}
	h.Restart(t) // the mark survives
	refusedEnrolment(t, h, token, h.Identity(t, "porch"), enroll.ErrTokenUsed)
}

func TestExpiredToken(t *testing.T) {
	h := hubtest.Start(t)
	word, err := hub.NewToken(h.Dir, "porch", -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	token, err := enroll.ParseToken(word)
	if err != nil {
		t.Fatal(err)
	}
	refusedEnrolment(t, h, token, identity(t), enroll.ErrTokenExpired)
}

func TestUnknownToken(t *testing.T) {
	h := hubtest.Start(t)
	token := h.Token(t, "porch")
	token.Secret[0] ^= 1
	refusedEnrolment(t, h, token, identity(t), enroll.ErrTokenUnknown)
}

// A name keeps its identity, and the token of the attempt is not used up.
func TestOtherIdentity(t *testing.T) {
	h := hubtest.Start(t)
	h.Enroll(t, "porch")
	token := h.Token(t, "porch")
	refusedEnrolment(t, h, token, identity(t), enroll.ErrOtherIdentity)
	h.Restart(t)
	if _, err := enroll.Enroll(t.Context(), h.Addr, token, h.Identity(t, "porch")); err != nil {
		t.Errorf("the right identity afterwards: %v", err)
	}
}

// Of many uses at the same time one wins.
func TestTokenIsUsedOnce(t *testing.T) {
	h := hubtest.Start(t)
	token, id := h.Token(t, "porch"), h.Identity(t, "porch")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = enroll.Enroll(t.Context(), h.Addr, token, id) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, enroll.ErrTokenUsed) {
			t.Errorf("a loser is told %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d certificates were issued for one token", won)
	}
}

// The hub keeps no secret of a token: whoever reads its folder cannot enrol.
func TestTokenSecretIsNotStored(t *testing.T) {
	h := hubtest.Start(t)
	token := h.Token(t, "porch")
	err := filepath.WalkDir(h.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, token.Secret[:]) || bytes.Contains(b, []byte(token.String())) {
			t.Errorf("%s holds the token's secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTokenForUnfitName(t *testing.T) {
	h := hubtest.Start(t)
	for _, name := range []string{"", "+", "#", "a/b", "../a", "Porch", "-a"} {
		if _, err := hub.NewToken(h.Dir, name, time.Hour); err == nil {
			t.Errorf("a token for %q was made", name)
		}
	}
}
