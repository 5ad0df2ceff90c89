// SPDX-License-Identifier: Apache-2.0

package task

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
)

// fake is a task that is ready at once and runs what it is given.
type fake struct {
	name  string
	run   func(ctx context.Context) error
	ready chan struct{}
	alive func() error
}

func newFake(name string, run func(ctx context.Context) error) *fake {
	ready := make(chan struct{})
	close(ready)
	return &fake{name: name, run: run, ready: ready, alive: func() error { return nil }}
}

func (f *fake) Run(ctx context.Context) error { return f.run(ctx) }
func (f *fake) Ready() <-chan struct{}        { return f.ready }
func (f *fake) String() string                { return f.name }
func (f *fake) Alive() error                  { return f.alive() }

func untilCancelled(ctx context.Context) error { <-ctx.Done(); return nil }

var errBroken = errors.New("lens fell off")

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestServe(t *testing.T) {
	fails := func(context.Context) error { return errBroken }
	panics := func(context.Context) error { panic("index out of range") }
	done := func(context.Context) error { return nil }
	stops := func(context.Context) error { return ErrStop }

	for _, tt := range []struct {
		name string
		runs []func(context.Context) error
		want string // error text, "" for none
	}{
		{"no task", nil, ""},
		{"all done", []func(context.Context) error{done, done}, ""},
		{"one asks to stop", []func(context.Context) error{untilCancelled, stops}, ""},
		{"one fails", []func(context.Context) error{untilCancelled, fails}, "task t1: lens fell off"},
		{"one panics", []func(context.Context) error{untilCancelled, panics}, "task t1: panic: index out of range"},
		{"failure after a stop", []func(context.Context) error{
			func(ctx context.Context) error { <-ctx.Done(); return errBroken }, stops}, "task t0: lens fell off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tasks []Task
			for i, run := range tt.runs {
				tasks = append(tasks, newFake("t"+string(rune('0'+i)), run))
			}
			err := Serve(t.Context(), discard(), tasks...)
			if got := text(err); got != tt.want {
				t.Errorf("Serve = %q, want %q", got, tt.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A task that is done does not take the others with it.
func TestServeDoneTaskLeavesOthers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	oneDone, otherEnded := make(chan struct{}), false
	err := Serve(ctx, discard(),
		newFake("one", func(context.Context) error { close(oneDone); return nil }),
		newFake("other", func(ctx context.Context) error {
			<-oneDone
			if ctx.Err() != nil {
				t.Error("ended with the task that was done")
			}
			cancel()
			<-ctx.Done()
			otherEnded = true
			return nil
		}))
	if err != nil || !otherEnded {
		t.Errorf("Serve = %v, other task waited for: %v", err, otherEnded)
	}
}

// Every failure is in the log, though Serve returns the first one only.
func TestServeLogsEveryFailure(t *testing.T) {
	var out bytes.Buffer
	err := Serve(t.Context(), slog.New(slog.NewTextHandler(&out, nil)),
		newFake("first", func(context.Context) error { return errBroken }),
		newFake("second", func(ctx context.Context) error { <-ctx.Done(); panic("while stopping") }))
	if !errors.Is(err, errBroken) {
		t.Errorf("Serve = %v, want the first failure", err)
	}
	for _, want := range []string{`msg="task failed" task=first err="lens fell off"`, `msg="task panicked" task=second panic="while stopping" stack=`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("log lacks %s:\n%s", want, out.String())
		}
	}
}

func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			s := Signals(discard())
			go func() {
				<-s.Ready() // before that the signal would end the test itself
				syscall.Kill(syscall.Getpid(), sig)
			}()
			other := newFake("other", untilCancelled)
			if err := Serve(t.Context(), discard(), s, other); err != nil {
				t.Errorf("Serve = %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Signals(discard()).Run(ctx); err != nil {
		t.Errorf("Run after cancel = %v", err)
	}
}
