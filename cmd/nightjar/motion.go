// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/durable"
)

func motionCommand() cli.Command {
	var state string
	var asJSON bool
	stateFlag := func(f *flag.FlagSet) {
		f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
	}
	return cli.Command{
		Name:  "motion",
		Usage: "nightjar motion COMMAND",
		Short: "Show where the camera is used to motion, or let it forget",
		Sub: []cli.Command{
			{
				Name:  "busy",
				Usage: "nightjar motion busy [--state DIR] [--json]",
				Short: "Show where it is busy by habit",
				Long: `Prints a digit for each block of the picture, row by row: from 0, where things hardly ever move, to f, where they do
all day, as leaves and water. There it takes more to be seen as motion. The agent learns this over hours, and keeps
it every hour and when it stops.`,
				Flags: func(f *flag.FlagSet) { stateFlag(f); cli.JSONFlag(f, &asJSON) },
				Run: func(_ context.Context, env *cli.Env, _ []string) error {
					h, err := readHabits(state)
					if errors.Is(err, fs.ErrNotExist) {
						return cli.Hint(errors.New("nothing is kept yet of where it is busy"), "the agent keeps it every hour and when it stops")
					}
					if err != nil {
						return err
					}
					if asJSON {
						return env.JSON(h.shown())
					}
					for _, row := range h.shown().Rows {
						fmt.Fprintln(env.Stdout, row)
					}
					return nil
				},
			},
			{
				Name:  "reset-busy",
				Usage: "nightjar motion reset-busy [--state DIR]",
				Short: "Let it forget: the tree was cut, the flag was taken in",
				Long:  `A running agent forgets within seconds, another one when it is started.`,
				Flags: stateFlag,
				Run: func(_ context.Context, env *cli.Env, _ []string) error {
					if info, err := os.Stat(state); err != nil || !info.IsDir() {
						return fmt.Errorf("there is no folder %s: give the camera's with --state", state)
					}
					if err := durable.Replace(busyMark(state), nil); err != nil {
						return fmt.Errorf("let it forget: %w", err)
					}
					_, err := fmt.Fprintln(env.Stdout, "it will be forgotten within seconds, or when the agent is started")
					return err
				},
			},
		},
	}
}
