// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
)

func pipe(conn net.Conn) opener {
	return func(context.Context, string, string) (net.Conn, error) { return conn, nil }
}

// years is a camera's renewal task and its hub in the virtual time of testing/synctest: real TLS over pipes in memory.
type years struct {
	t       *testing.T
	ca      authority
	issuer  *issuer
	dir     string
	store   *keys.Store
	renewal *Renewal

	mu      sync.Mutex
	down    bool
	trouble error
	dials   []time.Time
}

func newYears(t *testing.T) *years {
	t.Helper()
	y := &years{t: t, ca: newAuthority(t), dir: filepath.Join(t.TempDir(), "keys")}
	var err error
	if y.store, err = keys.OpenStore(y.dir); err != nil {
		t.Fatal(err)
	}
	identity, err := y.store.Identity()
	if err != nil {
		t.Fatal(err)
	}
	y.issuer = &issuer{t: t, ca: y.ca, identity: identity.Public()}
	key, csr, err := newRequest()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := y.issuer.certify(csr)
	if err != nil {
		t.Fatal(err)
	}
	answer.Version = version
	c, err := credential(answer, y.ca.cert, key)
	if err := errors.Join(err, y.store.SaveCredential(c)); err != nil {
		t.Fatal(err)
	}
	y.start()
	return y
}

// start makes the task as after a start of the camera.
func (y *years) start() {
	r, err := NewRenewal(y.store, y.broken, slog.New(slog.NewTextHandler(y.t.Output(), nil)))
	if err != nil {
		y.t.Fatal(err)
	}
	r.open = y.open
	y.renewal = r
}

// serve is the hub's side of one renewal.
func (y *years) serve(raw net.Conn) {
	defer raw.Close()
	config := y.ca.server(y.t)
	config.NextProtos = []string{RenewALPN}
	conn := tls.Server(raw, config)
	if conn.Handshake() == nil {
		ServeRenewal(y.t.Context(), conn, y.issuer) //nolint:errcheck // the camera hears of it
	}
}

func (y *years) open(context.Context, string, string) (net.Conn, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.dials = append(y.dials, time.Now())
	if y.down {
		return nil, errors.New("no route to the hub")
	}
	camera, hub := net.Pipe()
	go y.serve(hub)
	return camera, nil
}

// attempts returns when the camera tried to reach the hub.
func (y *years) attempts() []time.Time {
	synctest.Wait()
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.dials
}

func (y *years) broken() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.trouble
}

func (y *years) set(down bool, trouble error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.down, y.trouble = down, trouble
}

// run runs the task until stop is called.
func (y *years) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- y.renewal.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			y.t.Error(err)
		}
	}
}

// stored returns the credential in the store.
func (y *years) stored() keys.Credential {
	y.t.Helper()
	c, err := y.store.Credential()
	if err != nil {
		y.t.Fatal(err)
	}
	return c
}

const day = 24 * time.Hour

// Ten lifetimes: at each look the certificate is valid and saved, and it was renewed between day 40 and day 43.
func TestRenewalOverTenLifetimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYears(t)
		defer y.run()()
		began := time.Now()
		for time.Since(began) < 600*day {
			time.Sleep(day)
			leaf := y.stored().TLS.Leaf
			if time.Now().After(leaf.NotAfter) || time.Since(leaf.NotBefore) > 44*day || !leaf.Equal(y.renewal.Credential().TLS.Leaf) {
				t.Fatalf("on day %v the certificate of %v is in use", time.Since(began)/day, leaf.NotBefore)
			}
		}
		last := began
		for _, at := range y.attempts() {
			if age := at.Sub(last); age < 40*day-2*time.Hour || age > 43*day+time.Hour {
				t.Errorf("renewed after %v days", age.Hours()/24)
			}
			last = at
		}
		if n := len(y.attempts()); n < 13 || n > 15 {
			t.Errorf("%d renewals in 600 days", n)
		}
		t.Logf("%d renewals in 600 days, 0 days without a certificate", len(y.attempts()))
	})
}

// A hub away for a week at day 40 is no trouble; the attempts thin out and are not in step.
func TestRenewalWaitsForTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYears(t)
		defer y.run()()
		y.set(true, nil)
		time.Sleep(50 * day)
		dials := y.attempts()
		tries := len(dials)
		if week := dials[tries-1].Sub(dials[0]); week < 6*day || tries < 500 || tries > 2*60*24*10 {
			t.Errorf("%d attempts in %v", tries, week)
		}
		for i, at := range y.attempts()[1:] {
			if pause := at.Sub(dials[i]); pause > lastRetry*3/2+time.Minute {
				t.Errorf("pause of %v", pause)
			}
		}
		y.set(false, nil)
		time.Sleep(lastRetry * 2)
		if left := time.Until(y.stored().TLS.Leaf.NotAfter); left < 59*day {
			t.Errorf("certificate is valid for %v", left)
		}
	})
}

// A camera that lay in a drawer for a year comes back by itself, at once.
func TestRenewalAfterAYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYears(t)
		time.Sleep(365 * day)
		if time.Now().Before(y.stored().TLS.Leaf.NotAfter) {
			t.Fatal("the certificate has not expired: nothing is tested")
		}
		y.start()
		defer y.run()()
		synctest.Wait()
		if left := time.Until(y.renewal.Credential().TLS.Leaf.NotAfter); left < 59*day {
			t.Errorf("certificate is valid for %v", left)
		}
	})
}

// A clock that was never set knows of no day 40. What the hub says about the certificate does, and once an hour is enough.
func TestRenewalWhenTheHubRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYears(t)
		defer y.run()()
		y.set(false, errors.New("connection lost: EOF"))
		time.Sleep(day)
		if len(y.attempts()) != 0 {
			t.Errorf("%d renewals for a lost connection", len(y.attempts()))
		}
		y.set(false, errors.New("remote error: tls: expired certificate"))
		time.Sleep(watch + time.Second)
		if len(y.attempts()) != 1 {
			t.Errorf("%d renewals for an expired certificate", len(y.attempts()))
		}
		time.Sleep(10 * time.Hour)
		if n := len(y.attempts()); n > 11 {
			t.Errorf("%d renewals in ten hours, though a renewal changes nothing", n)
		}
	})
}

// Refusals do not end the task: the owner may let the camera in again.
func TestRenewalAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYears(t)
		y.issuer.refuse(ErrRevoked)
		time.Sleep(61 * day)
		defer y.run()()
		time.Sleep(day)
		before := len(y.attempts())
		if before < 10 || before > 300 {
			t.Errorf("%d attempts in a day", before)
		}
		y.issuer.refuse(nil)
		time.Sleep(lastRetry * 2)
		if left := time.Until(y.stored().TLS.Leaf.NotAfter); left < 59*day {
			t.Errorf("certificate is valid for %v", left)
		}
	})
}

// A card that takes no writes: the new certificate is used all the same, asked for once, and saved when the card is back.
func TestRenewalThatCannotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYears(t)
		file := filepath.Join(y.dir, "credential.json")
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A folder in the file's place is not replaced by a rename.
		if err := errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "x"), 0o700)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * day)
		defer y.run()()
		time.Sleep(day)
		if left := time.Until(y.renewal.Credential().TLS.Leaf.NotAfter); left < 58*day || len(y.attempts()) != 1 {
			t.Errorf("the certificate in use is valid for %v after %d renewals", left, len(y.attempts()))
		}
		if err := errors.Join(os.RemoveAll(file), os.WriteFile(file, good, 0o600)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lastRetry * 2)
		if !y.stored().TLS.Leaf.Equal(y.renewal.Credential().TLS.Leaf) || len(y.attempts()) != 1 {
			t.Errorf("not saved; %d renewals", len(y.attempts()))
		}
	})
}

// What another program saved is used without a restart, unless it is another device's.
func TestRenewalReadsTheStore(t *testing.T) {
	y := newYears(t)
	c := y.stored()
	c.Hub = "elsewhere:8883"
	if err := y.store.SaveCredential(c); err != nil {
		t.Fatal(err)
	}
	if got := y.renewal.Credential(); got.Hub != c.Hub {
		t.Errorf("in use: %v", got)
	}
	c.Device = "back-door"
	if err := y.store.SaveCredential(c); err != nil {
		t.Fatal(err)
	}
	if got := y.renewal.Credential(); got.Device != "front-door" {
		t.Errorf("in use: %v", got)
	}
}

func TestRenewalNeedsAnEnrolledCamera(t *testing.T) {
	store, err := keys.OpenStore(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRenewal(store, nil, nil); !errors.Is(err, keys.ErrNotEnrolled) || strings.Contains(err.Error(), "panic") {
		t.Errorf("error %v", err)
	}
}
