// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"

	"github.com/nightjar-cam/nightjar/cmd/internal/chronicle"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

func eventsCommand() cli.Command {
	var from source
	var asJSON bool
	return cli.Command{
		Name:  "events",
		Usage: "nightjarctl clips events --store DIR [--device ID] [--json]",
		Short: "List what cameras signed of themselves: privacy, restarts, losses",
		Long: `Lists the events and the declared losses of all cameras, or of one, in the order they were signed. They are links of the
same chain as the clips: "nightjarctl clips verify" checks them. Times are UTC; LASTED is the span between the first and the
last moment that a record speaks of. CLOCK says what the camera knew of the time when it signed.`,
		Flags: func(f *flag.FlagSet) {
			from.flags(f)
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			devices, err := from.devices()
			if err != nil {
				return err
			}
			rows, err := chronicle.List(devices)
			if err != nil {
				err = cli.Hint(err, "`nightjarctl clips verify` names everything that is wrong")
			}
			if asJSON {
				return errors.Join(err, env.JSON(rows))
			}
			return errors.Join(err, chronicle.Print(env.Stdout, rows))
		},
	}
}
