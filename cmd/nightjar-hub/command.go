// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// orderAnswer is the answer of nightjar-hub command.
type orderAnswer struct {
	Device  string          `json:"device"`
	Seq     uint64          `json:"seq"`
	Command string          `json:"command"`
	State   string          `json:"state"` // waiting, done or failed
	Message string          `json:"message,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func commandCommand() cli.Command {
	var dir, signed string
	var ttl, wait time.Duration
	var asJSON bool
	return cli.Command{
		Name:  "command",
		Usage: "nightjar-hub command DEVICE NAME [ARGUMENTS]|--signed FILE --dir DIR [--ttl DURATION] [--wait DURATION] [--json]",
		Short: "Tell a camera to do something",
		Long: `Puts a command into the hub's folder. The running hub signs it and gives it to the camera when that is online, until
it answers or the command expires. The camera obeys it once, if its own table lets the hub give it.
ARGUMENTS are a JSON object, such as '{"hub":"hub.lan:8883"}'. With --signed it
only carries a command that "nightjarctl command sign" made: some are the owner's to give, and not the hub's. The commands are:
  ` + strings.Join(command.Names(), "\n  "),
		Args: 3,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.StringVar(&signed, "signed", "", "carry the command in `FILE`; - reads it from stdin")
			f.DurationVar(&ttl, "ttl", 10*time.Minute, "how long the camera has to come online, a `DURATION` up to 24h")
			f.DurationVar(&wait, "wait", 30*time.Second, "how long to wait here for the answer, a `DURATION`; 0s not at all")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			if dir == "" || signed == "" && len(args) < 2 || signed != "" && len(args) != 1 {
				return cli.Usagef("command needs --dir, a camera, and what it is to do or --signed")
			}
			store, err := archive.Open(dir)
			if err != nil {
				return err
			}
			if _, err := store.Device(args[0]); err != nil {
				return err
			}
			o, err := newOrder(env, dir, args, signed, ttl)
			if err != nil {
				return err
			}
			return showOrder(env, awaitOrder(ctx, dir, o, wait), asJSON)
		},
	}
}

// newOrder puts what is to be done into the hub's folder.
func newOrder(env *cli.Env, dir string, args []string, signed string, ttl time.Duration) (hub.Order, error) {
	if signed != "" {
		jws, err := readSigned(env, signed)
		if err != nil {
			return hub.Order{}, err
		}
		return hub.CarryOrder(dir, args[0], jws, time.Now())
	}
	var arguments json.RawMessage
	if len(args) == 3 {
		arguments = json.RawMessage(args[2])
	}
	o, err := hub.NewOrder(dir, args[0], args[1], arguments, ttl)
	if errors.Is(err, command.ErrRole) && command.Allowed(args[1], command.Owner) == nil {
		err = cli.Hint(err, "sign it with `nightjarctl command sign`, and give it with --signed")
	}
	return o, err
}

// readSigned returns the one line of a file.
func readSigned(env *cli.Env, name string) ([]byte, error) {
	in := env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the signed command: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read the signed command: %w", err)
	}
	return bytes.TrimSpace(text), nil
}

// awaitOrder waits for the camera's answer.
func awaitOrder(ctx context.Context, dir string, o hub.Order, wait time.Duration) orderAnswer {
	a := orderAnswer{Device: o.Device, Seq: o.Seq, Command: o.Name, State: "waiting", Message: "no answer yet"}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := hub.OrderResult(dir, o.Device, o.Seq)
		switch {
		case errors.Is(err, hub.ErrNoResult):
		case err != nil:
			a.State, a.Message = "failed", err.Error()
			return a
		default:
			a.State, a.Message, a.Data = "done", r.Message, r.Data
			if !r.OK {
				a.State = "failed"
			}
			return a
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return a
		}
	}
}

func showOrder(env *cli.Env, a orderAnswer, asJSON bool) error {
	if asJSON {
		if err := env.JSON(a); err != nil {
			return err
		}
	}
	if a.State == "failed" {
		return fmt.Errorf("%s on %s: %s", a.Command, a.Device, cli.Printable(a.Message))
	}
	if asJSON {
		return nil
	}
	fmt.Fprintf(env.Stdout, "%s: %s\n", a.State, cli.Printable(a.Message))
	if a.State == "waiting" {
		fmt.Fprintln(env.Stderr, "the command stays in the hub's folder until the camera answers or it expires; is the hub running?")
	}
	if a.Data != nil {
		var v any
		if err := json.Unmarshal(a.Data, &v); err != nil {
			return err
		}
		return env.JSON(v) // escapes what could move the cursor
	}
	return nil
}
