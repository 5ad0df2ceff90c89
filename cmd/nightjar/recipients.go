// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
)

func recipientsCommand() cli.Command {
	var state string
	var asJSON bool
	return cli.Command{
		Name:  "recipients",
		Usage: "nightjar recipients [--state DIR] [--json] [age1...]",
		Short: "Show or replace the public keys that clips are sealed to",
		Long: `Without an argument, shows who can open this camera's clips. With arguments, these are the recipients from now on:
name all, also those that stay. Clips that are recorded already remain sealed to the former ones. A running agent
takes the new ones at its next start.

Post-quantum recipients (age1pq...) and classic ones (age1...) cannot be mixed.`,
		Args: -1,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, args []string) error {
			store, err := openKeys(state)
			if err != nil {
				return err
			}
			if err := setRecipients(store, args); err != nil {
				return err
			}
			text, err := store.Recipients()
			if err != nil {
				return err
			}
			all := []string{}
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					all = append(all, line)
				}
			}
			if asJSON {
				return env.JSON(all)
			}
			for _, r := range all {
				fmt.Fprintln(env.Stdout, r)
			}
			if len(args) > 0 {
				fmt.Fprintln(env.Stderr, "new clips are sealed to these from the agent's next start on; recorded ones stay as they are")
			}
			return nil
		},
	}
}
