// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

// Cameras enrolled at one hub share no key, no secret and no serial number. NIGHTJAR_PROVISIONS says how many; 10,000 is what a
// release is held to.
func TestProvisions(t *testing.T) {
	cameras := 100
	if v := os.Getenv("NIGHTJAR_PROVISIONS"); v != "" {
		var err error
		if cameras, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	h := hubtest.Start(t)
	seen, equal := map[string]int{}, 0
	note := func(camera int, kind string, secret []byte) {
		name := kind + string(secret)
		if other, ok := seen[name]; ok {
			equal++
			t.Errorf("cameras %d and %d have the same %s", other, camera, kind)
		}
		seen[name] = camera
	}
	for i := range cameras {
		identity, err := keys.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		token := h.Token(t, fmt.Sprintf("camera-%d", i))
		c, err := enroll.Enroll(t.Context(), h.Addr, token, identity)
		if err != nil {
			t.Fatal(err)
		}
		note(i, "identity", identity.Key().Seed())
		note(i, "TLS key", scalar(t, c.TLS.PrivateKey))
		note(i, "token", token.Secret[:])
		note(i, "serial number", c.TLS.Leaf.SerialNumber.Bytes())
	}
	if len(seen) != 4*cameras {
		t.Errorf("%d secrets of %d cameras", len(seen), cameras)
	}
	t.Logf("%d provisions, %d keys: %d equal", cameras, len(seen), equal)
}
