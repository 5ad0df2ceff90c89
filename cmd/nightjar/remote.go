// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/cmd/internal/task"
	"github.com/nightjar-cam/nightjar/keys/durable"
)

const (
	trialTime  = 300 * time.Second // in which the hub has to be reached with a new configuration
	beforeStop = 2 * time.Second   // for the answer to the command to get out
	maxRemote  = 16 << 10          // bytes of the file
)

// remote is the configuration that was set from afar, over the one of the file. A new one is on trial in memory only until the
// hub is reached with it: a crash, a loss of power or 300 seconds bring the old one back. It outlives the tasks, which are
// built anew for each configuration.
type remote struct {
	base  config.Config
	path  string
	limit time.Duration
	log   *slog.Logger

	mu     sync.Mutex
	kept   []byte // what was confirmed
	trial  []byte // what is tried, or nil
	reload bool   // whether the tasks ended to be built anew
}

func newRemote(base config.Config, log *slog.Logger) *remote {
	r := &remote{base: base, path: filepath.Join(base.State, "remote.yml"), limit: trialTime, log: log}
	text, err := r.read()
	if err == nil {
		_, err = base.Overlay(text)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil: // it was good once: the file that it lies over has changed, or the card is bad
		log.Error("what was set from afar is left out", "code", "config-remote-bad", "err", err)
	default:
		r.kept = text
	}
	return r
}

func (r *remote) read() ([]byte, error) {
	f, err := os.Open(r.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRemote))
}

// config returns the configuration to run with now.
func (r *remote) config() config.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := r.kept
	if r.trial != nil {
		text = r.trial
	}
	c, err := r.base.Overlay(text)
	if err != nil { // both were checked when they came
		return r.base
	}
	return c
}

// again tells whether to run the tasks again after they ended with err.
func (r *remote) again(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.reload:
		r.reload = false
		return true
	case err != nil && r.trial != nil:
		r.log.Error("the agent does not run with the new configuration: back to the old one", "code", "config-reverted", "err", err)
		r.trial = nil
		return true
	}
	return false
}

// A trial is the task of one life of the tasks that tries a configuration, and takes the next one.
type trial struct {
	remote *remote
	staged chan []byte
	hub    chan struct{} // the hub was reached
	ready  chan struct{}
	kept   func() // told when a new configuration is kept; nil for nobody
}

func newTrial(r *remote) *trial {
	t := &trial{remote: r, staged: make(chan []byte, 1), hub: make(chan struct{}, 1), ready: make(chan struct{})}
	close(t.ready)
	return t
}

func (t *trial) String() string         { return "remote configuration" }
func (t *trial) Ready() <-chan struct{} { return t.ready }

// reached says that the hub has spoken to us. It may be called from any goroutine and does not wait.
func (t *trial) reached() {
	select {
	case t.hub <- struct{}{}:
	default:
	}
}

// stage checks a configuration and has it tried.
func (t *trial) stage(text []byte) error {
	if _, err := t.remote.base.Overlay(text); err != nil {
		return err
	}
	t.remote.mu.Lock()
	defer t.remote.mu.Unlock()
	if t.remote.trial != nil {
		return errors.New("another configuration is on trial: wait five minutes")
	}
	select {
	case t.staged <- append([]byte{}, text...):
		return nil
	default:
		return errors.New("another configuration has just come")
	}
}

func (t *trial) Run(ctx context.Context) error {
	r := t.remote
	var late <-chan time.Time
	if trial, _ := r.state(); trial != nil {
		timer := time.NewTimer(r.limit)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case text := <-t.staged:
			timer := time.NewTimer(beforeStop)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return nil
			}
			r.log.Info("a new configuration is tried", "code", "config-trial")
			return r.turn(text)
		case <-t.hub:
			before, _ := r.state()
			if r.confirm() {
				late = nil
				if before != nil && t.kept != nil {
					t.kept()
				}
			}
		case <-late:
			r.log.Error("the hub was not reached with the new configuration: back to the old one", "code", "config-reverted", "after", r.limit)
			return r.turn(nil)
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *remote) state() (trial, kept []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trial, r.kept
}

// turn ends the tasks, to be built anew with a configuration on trial, or with the kept one.
func (r *remote) turn(trial []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trial, r.reload = trial, true
	return task.ErrStop
}

// confirm keeps the configuration that is on trial. It stays on trial when that cannot be written.
func (r *remote) confirm() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trial == nil {
		return true
	}
	if err := durable.Replace(r.path, r.trial); err != nil {
		r.log.Error("the new configuration cannot be kept", "code", "config-remote-bad", "err", err)
		return false
	}
	r.kept, r.trial = r.trial, nil
	r.log.Info("the new configuration is kept: the hub was reached", "code", "config-kept")
	return true
}
