// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"text/tabwriter"

	"github.com/nightjar-cam/nightjar/board/gpio"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

func gpioCommand() cli.Command {
	var asJSON bool
	return cli.Command{
		Name: "gpio", Usage: "nightjar gpio [--json]", Short: "Show the board's lines, and who has them",
		Long:  "Shows the lines that have a name or a user. The names are what `wires` in the configuration takes.",
		Flags: func(f *flag.FlagSet) { cli.JSONFlag(f, &asJSON) },
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			lines, err := gpio.List()
			if asJSON {
				if lines == nil {
					lines = []gpio.Line{}
				}
				if jsonErr := env.JSON(lines); jsonErr != nil {
					return jsonErr
				}
				return err
			}
			if len(lines) == 0 && err == nil {
				_, err := fmt.Fprintln(env.Stdout, "this board has no GPIO lines that can be seen here")
				return err
			}
			t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "LINE\tNAME\tDIRECTION\tUSED BY")
			for _, l := range lines {
				direction := "in"
				if l.Output {
					direction = "out"
				}
				fmt.Fprintf(t, "%s:%d\t%s\t%s\t%s\n", l.Chip, l.Offset, l.Name, direction, l.User)
			}
			if flushErr := t.Flush(); flushErr != nil {
				return flushErr
			}
			return err
		},
	}
}
