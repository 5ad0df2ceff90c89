// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/uplink/hub"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// Every secret of a site is known, and looked for in all that is said: logs, errors, values printed in every way, and what a
// program that panics leaves behind.
func TestNoSecretShows(t *testing.T) {
	s := newSite(t)
	said := map[string]string{
		"values": s.values(t), "errors": s.errors(t), "panic": s.panic(t, "values"), "panic with everything loaded": s.panic(t, "loaded"),
	}
	said["log of the hub"] = s.hub.Log.Written()
	hits := 0
	for where, text := range said {
		if len(text) < 100 {
			t.Errorf("%s: only %q was said: nothing was looked at", where, text)
		}
		for _, slot := range s.slots {
			if as := found(text, slot.secret); as != "" {
				hits++
				t.Errorf("%s: shows the secret of slot %q", where, slot.name)
			}
		}
	}
	if len(s.slots) < 12 {
		t.Errorf("only %d slots: was one forgotten?", len(s.slots))
	}
	t.Logf("%d slots looked for in %d places: %d hits", len(s.slots), len(said), hits)
}

// The search finds each secret in each spelling that a leak would have.
func TestMutantLeak(t *testing.T) {
	for _, slot := range newSite(t).slots {
		for name, text := range map[string]string{
			"raw": string(slot.secret), "hex": fmt.Sprintf("%x", slot.secret), "HEX": fmt.Sprintf("%X", slot.secret),
			"%v": fmt.Sprint(slot.secret), "%#v": fmt.Sprintf("%#v", slot.secret), "base64": base64.StdEncoding.EncodeToString(slot.secret),
			"base64 in a file": base64.StdEncoding.EncodeToString(append([]byte("x"), slot.secret...)),
			"PEM":              base64.StdEncoding.EncodeToString(append([]byte("xy"), slot.secret...)),
		} {
			if found("key="+text+" end", slot.secret) == "" {
				t.Errorf("slot %q: a leak as %s is not found", slot.name, name)
			}
		}
	}
}

// values prints everything that holds a secret.
func (s *site) values(t *testing.T) string {
	t.Helper()
	request := enroll.Request{Version: 1, Secret: s.token.Secret[:], Identity: s.identity.Public()}
	type wrapped struct{ v any } // fmt calls no method of what it finds here
	var out bytes.Buffer
	for _, v := range []any{s.identity, &s.identity, s.credential, &s.credential, s.token, &s.token, request, &request, s.owner, &s.owner, s.store, s.sealer} {
		ways := []any{v, []any{v}, map[string]any{"v": v}, struct{ V any }{v}}
		switch v.(type) {
		case enroll.Request, *enroll.Request: // its JSON is what goes to the hub, so it must be logged as itself
			ways = ways[:1]
		case enroll.Token, *enroll.Token: // plain bytes: no struct of ours holds one in a field that fmt cannot call
		default:
			ways = append(ways, wrapped{v})
		}
		for _, v := range ways {
			for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				fmt.Fprintf(&out, format+"\n", v)
			}
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(h).Info("canary", "v", v)
			}
		}
	}
	for _, v := range []any{s.identity, s.credential, s.token, s.owner} {
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// errors damages everything that can be read, and collects what is said of it.
func (s *site) errors(t *testing.T) string {
	t.Helper()
	var all []error
	for _, name := range []string{"identity.key", "credential.json"} {
		good, err := os.ReadFile(filepath.Join(s.camera, name))
		if err != nil {
			t.Fatal(err)
		}
		for cut := range 40 {
			dir := filepath.Join(t.TempDir(), "keys")
			bad := bytes.Clone(good)
			if cut%2 == 0 {
				bad = bad[:len(bad)*cut/40]
			} else {
				bad[len(bad)*cut/40] ^= 0x11
			}
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, name), bad, 0o600)); err != nil {
				t.Fatal(err)
			}
			store, err := keys.OpenStore(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, err1 := store.Identity()
			_, err2 := store.Credential()
			all = append(all, err1, err2)
		}
	}
	wrong := s.credential
	wrong.Device = "attic"
	_, err1 := enroll.Renew(t.Context(), wrong, s.identity)
	_, err2 := enroll.ParseToken(s.token.String() + "x")
	_, err3 := enroll.Enroll(t.Context(), "127.0.0.1:1", s.token, s.identity)
	_, err4 := seal.Recipients(bytes.NewReader(s.owner.File(noon)))
	_, err5 := seal.Identities(bytes.NewReader(s.owner.File(noon)[:120]))
	_, err6 := seal.OwnerOfPhrase(s.owner.Phrase()+" zoo", false)
	_, err7 := seal.OwnerOfPhrase(strings.Replace(s.owner.Phrase(), " ", "x ", 1), false)
	locked, err8 := seal.Protect(s.owner.File(noon), s.passphrase)
	_, err9 := seal.ProtectedIdentities(bytes.NewReader(locked), func() ([]byte, error) { return s.passphrase[1:], nil })
	all = append(all, err1, err2, err3, err4, err5, err6, err7, err8, err9)
	for _, name := range []string{"ca.key", "hub.key", "receipt.key", "receipt-next.key"} {
		path := filepath.Join(s.hub.Dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, good[:len(good)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = hub.New(hub.Config{Dir: s.hub.Dir, Listen: ":0"}, slog.New(slog.DiscardHandler))
		all = append(all, err, os.WriteFile(path, good, 0o600))
	}
	return errors.Join(all...).Error() + "\n"
}

// panic lets another process load all keys of the site and panic.
func (s *site) panic(t *testing.T, with string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPanickingProcess$")
	cmd.Env = append(os.Environ(), "GOTRACEBACK=system", "NIGHTJAR_TEST_PANIC="+with, "NIGHTJAR_TEST_CAMERA="+s.camera, "NIGHTJAR_TEST_HUB="+s.hub.Dir)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "goroutine ") {
		t.Fatalf("did not panic: %v\n%s", err, out)
	}
	return string(out)
}

// TestPanickingProcess is the other process.
func TestPanickingProcess(t *testing.T) {
	with := os.Getenv("NIGHTJAR_TEST_PANIC")
	if with == "" {
		return // it is run by TestNoSecretShows
	}
	store, err := keys.OpenStore(os.Getenv("NIGHTJAR_TEST_CAMERA"))
	if err != nil {
		t.Fatal(err)
	}
	identity, err1 := store.Identity()
	credential, err2 := store.Credential()
	h, err3 := hub.New(hub.Config{Dir: os.Getenv("NIGHTJAR_TEST_HUB"), Listen: ":0"}, slog.New(slog.DiscardHandler))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if with == "values" {
		panic(fmt.Sprintf("%v %+v %#v %v", identity, credential, credential, h))
	}
	fall(io.Discard, identity, credential, h)
}

//go:noinline
func fall(w io.Writer, identity keys.Identity, credential keys.Credential, h *hub.Hub) {
	fmt.Fprint(w, identity.Key()[0], credential, h)
	var nothing *site
	fmt.Fprint(w, nothing.slots[0])
}
