// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// An action does what a command says and returns what it answers, nil for nothing but that it is done.
type action func(ctx context.Context, args json.RawMessage) (any, error)

type giverKey struct{}

// givenBy says in a context who gives a command; giver returns that.
func givenBy(ctx context.Context, role command.Role) context.Context {
	return context.WithValue(ctx, giverKey{}, role)
}

func giver(ctx context.Context) command.Role {
	role, _ := ctx.Value(giverKey{}).(command.Role)
	return role
}

// A commander is the task that obeys commands, one after the other.
type commander struct {
	gate    *command.Gate
	actions map[string]action
	answer  func(wire.Result) error
	log     *slog.Logger
	queue   chan []byte
	ready   chan struct{}

	// Results by the command's hash. The hub sends a command again until it has its result, which may be lost on its way.
	answered map[[sha256.Size]byte]wire.Result
}

const (
	maxCommands = 8  // that wait; more are dropped, and sent again by who sent them
	maxAnswered = 64 // results that are remembered
)

func newCommander(gate *command.Gate, actions map[string]action, answer func(wire.Result) error, log *slog.Logger) *commander {
	c := &commander{gate: gate, actions: actions, answer: answer, log: log, queue: make(chan []byte, maxCommands), ready: make(chan struct{}),
		answered: map[[sha256.Size]byte]wire.Result{}}
	close(c.ready)
	return c
}

func (c *commander) String() string         { return "commands" }
func (c *commander) Ready() <-chan struct{} { return c.ready }

// take takes what the hub sent. It may be called from any goroutine and does not wait.
func (c *commander) take(jws []byte) {
	select {
	case c.queue <- jws:
	default:
	}
}

func (c *commander) Run(ctx context.Context) error {
	for {
		select {
		case jws := <-c.queue:
			c.obey(ctx, jws)
		case <-ctx.Done():
			return nil
		}
	}
}

// obey lets a command through the gate, does what it says, and answers.
func (c *commander) obey(ctx context.Context, jws []byte) {
	hash := sha256.Sum256(jws)
	r, known := c.answered[hash]
	if !known {
		cmd, role, err := c.gate.Accept(jws)
		if role == "" { // nobody whom an answer would be for
			c.log.Warn("command refused", "code", "command-refused", "err", err)
			return
		}
		r = wire.Result{Signer: string(role), Seq: cmd.Seq, OK: err == nil}
		if err == nil {
			r, err = c.do(givenBy(ctx, role), cmd, r)
		}
		if err != nil {
			r.OK, r.Data, r.Message = false, nil, err.Error()
			c.log.Warn("command failed", "code", "command-failed", "command", cmd.Name, "by", string(role), "seq", cmd.Seq, "err", err)
		} else {
			c.log.Info("command obeyed", "code", "command-obeyed", "command", cmd.Name, "by", string(role), "seq", cmd.Seq)
		}
		if len(c.answered) >= maxAnswered {
			clear(c.answered) // what is asked again is refused as a replay then
		}
		c.answered[hash] = r
	}
	if err := c.answer(r); err != nil {
		c.log.Warn("command is not answered", "code", "command-failed", "seq", r.Seq, "err", err)
	}
}

func (c *commander) do(ctx context.Context, cmd command.Command, r wire.Result) (wire.Result, error) {
	act, ok := c.actions[cmd.Name]
	if !ok {
		return r, fmt.Errorf("command %s is not built into this release", cmd.Name)
	}
	args := cmd.Args
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	data, err := act(ctx, args)
	if err != nil {
		return r, err
	}
	r.Message = "done"
	if data == nil {
		return r, nil
	}
	if r.Data, err = json.Marshal(data); err != nil {
		return r, err
	}
	if len(r.Data) > wire.MaxData {
		return r, fmt.Errorf("the answer has %d bytes, more than %d", len(r.Data), wire.MaxData)
	}
	return r, nil
}

// strictArgs decodes a command's arguments, and refuses those that the command does not have.
func strictArgs(args json.RawMessage, into any) error {
	if err := strictJSON(args, into); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	return nil
}

// errNoFrames is returned when the camera does not get round to something: it reads no frames.
var errNoFrames = errors.New("the camera gives no frames now")
