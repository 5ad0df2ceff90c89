// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
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
	var dir string
	var ttl, wait time.Duration
	var asJSON bool
	return cli.Command{
		Name:  "command",
		Usage: "nightjar-hub command DEVICE NAME [ARGUMENTS] --dir DIR [--ttl DURATION] [--wait DURATION] [--json]",
		Short: "Tell a camera to do something",
		Long: `Puts a command into the hub's folder. The running hub signs it and gives it to the camera when that is online, until
it answers or the command expires. The camera obeys it once, if its own table lets the hub give it.
ARGUMENTS are a JSON object, such as '{"hub":"hub.lan:8883"}'. The commands are:
  ` + strings.Join(command.Names(), "\n  "),
		Args: 3,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.DurationVar(&ttl, "ttl", 10*time.Minute, "how long the camera has to come online, a `DURATION` up to 24h")
			f.DurationVar(&wait, "wait", 30*time.Second, "how long to wait here for the answer, a `DURATION`; 0s not at all")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			if dir == "" || len(args) < 2 {
				return cli.Usagef("command needs --dir, a camera and what it is to do")
			}
			store, err := archive.Open(dir)
			if err != nil {
				return err
			}
			if _, err := store.Device(args[0]); err != nil {
				return err
			}
			var arguments json.RawMessage
			if len(args) == 3 {
				arguments = json.RawMessage(args[2])
			}
			o, err := hub.NewOrder(dir, args[0], args[1], arguments, ttl)
			if err != nil {
				return err
			}
			return showOrder(env, awaitOrder(ctx, dir, o, wait), asJSON)
		},
	}
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
