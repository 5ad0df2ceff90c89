// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
)

const (
	// watch is how often the task looks whether the certificate is due, and how the session fares.
	watch = time.Minute
	// calm is the least time between two certificates: a clock that runs years ahead, or a hub that refuses what it
	// issued, must not make us ask all the time.
	calm = time.Hour

	firstRetry = 30 * time.Second // mean pause after the first failure
	lastRetry  = 15 * time.Minute // and what it grows to
)

// Renewal is a task that keeps a device's certificate fresh. It renews at two thirds of the lifetime, day 40 of 60, spread over
// a twentieth of it so that a fleet enrolled in one day does not come in one hour; at once when the certificate has expired, or
// when the hub refuses it, for a board's clock may never have been set.
type Renewal struct {
	store    *keys.Store
	identity keys.Identity
	trouble  func() error
	log      *slog.Logger
	ready    chan struct{}
	share    float64 // of the spread, 0 to 1
	open     opener  // TCP, but in tests

	mu      sync.Mutex
	current keys.Credential
	unsaved bool // current is newer than the store's, which could not be written
}

// NewRenewal makes the task for the credential in store. trouble returns why there is no connection to the hub, nil when there
// is one; it is called from Run.
func NewRenewal(store *keys.Store, trouble func() error, log *slog.Logger) (*Renewal, error) {
	identity, err := store.Identity()
	if err != nil {
		return nil, err
	}
	c, err := store.Credential()
	if err != nil {
		return nil, err
	}
	return &Renewal{store: store, identity: identity, trouble: trouble, log: log, ready: make(chan struct{}),
		share: float64(upTo(1<<20)) / (1 << 20), open: openTCP, current: c}, nil
}

// String names the task.
func (r *Renewal) String() string { return "renewal" }

// Ready is closed as soon as Run is called.
func (r *Renewal) Ready() <-chan struct{} { return r.ready }

// Credential returns the present credential, for the next connection. What another process put into the store for the same
// device counts: `nightjar enroll` or `nightjar renew` need no restart. It may be called from any goroutine.
func (r *Renewal) Credential() keys.Credential {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unsaved {
		return r.current
	}
	// A store that cannot be read is no reason to lose the connection too. The records of another device are another chain.
	if c, err := r.store.Credential(); err == nil && c.Device == r.current.Device {
		r.current = c
	}
	return r.current
}

// Run renews until ctx ends and then returns nil; a hub that cannot be reached is tried again for ever. It is called once.
func (r *Renewal) Run(ctx context.Context) error {
	close(r.ready)
	var renewed time.Time
	var last string
	pause, wait := firstRetry, time.Duration(0)
	for sleep(ctx, wait) {
		wait = watch
		c, unsaved := r.inMemory()
		if !unsaved {
			if time.Since(renewed) < calm || !r.due(c) {
				continue
			}
			if c = r.Credential(); !r.due(c) { // another process was first
				continue
			}
		}
		err := r.refresh(ctx, c, unsaved)
		if err == nil {
			renewed, last, pause = time.Now(), "", firstRetry
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		wait = pause/2 + upTo(pause)
		pause = min(2*pause, lastRetry)
		if text := err.Error(); text != last { // the same trouble is worth one line
			r.log.Warn("certificate is not renewed", "until", c.TLS.Leaf.NotAfter, "err", err)
			last = text
		}
	}
	return nil
}

// due tells whether the certificate is to be renewed now.
func (r *Renewal) due(c keys.Credential) bool {
	leaf := c.TLS.Leaf
	lifetime := leaf.NotAfter.Sub(leaf.NotBefore)
	at := leaf.NotBefore.Add(lifetime*2/3 + time.Duration(r.share*float64(lifetime/20)))
	if !keys.NowSince(leaf).Before(at) {
		return true
	}
	// crypto/tls and MQTT libraries have no type for what the other side thinks of a certificate.
	err := r.trouble()
	return err != nil && strings.Contains(err.Error(), "certificate")
}

// refresh gets a new credential and saves it. One that cannot be saved is used all the same, and saved later.
func (r *Renewal) refresh(ctx context.Context, c keys.Credential, unsaved bool) error {
	if !unsaved {
		fresh, err := renew(ctx, r.open, c, r.identity)
		if err != nil {
			return err
		}
		r.log.Info("certificate renewed", "device", fresh.Device, "until", fresh.TLS.Leaf.NotAfter)
		c = fresh
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current, r.unsaved = c, true
	if err := r.store.SaveCredential(c); err != nil {
		return fmt.Errorf("the new certificate is used, but would be lost at a restart: %w", err)
	}
	r.unsaved = false
	return nil
}

// inMemory returns what is in use, and whether it is still to be saved.
func (r *Renewal) inMemory() (keys.Credential, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, r.unsaved
}

// upTo returns a random span from 0 to below d.
func upTo(d time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d)))
	if err != nil {
		return d / 2 // crypto/rand does not fail
	}
	return time.Duration(n.Int64())
}

// sleep waits; it returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
