// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/doctor"
)

// checkLimit bounds each check; that of the chains reads every record.
const checkLimit = 2 * time.Minute

// check is one question about a hub. Its name is stable.
type check struct {
	name string
	run  func(ctx context.Context, dir string) doctor.Finding
}

func doctorCommand() cli.Command {
	var dir string
	var asJSON bool
	return cli.Command{
		Name:  "doctor",
		Usage: "nightjar-hub doctor --dir DIR [--json]",
		Short: "Look for what is wrong with the hub, and say what to do",
		Long: `Checks folder, keys, certificates, disk, clock, index, port and each camera's chain of records, and names what
to do about each trouble. It changes nothing; the hub may be running. Clips are not read:
"nightjarctl clips verify" does that. The exit code is 1 when a check failed; a warning is no failure.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("doctor needs --dir")
			}
			asked := make([]doctor.Check, 0, len(checks))
			for _, c := range checks {
				asked = append(asked, doctor.Check{Name: c.name, Run: func(ctx context.Context) doctor.Finding { return c.run(ctx, dir) }})
			}
			report := doctor.Examine(ctx, checkLimit, asked)
			var err error
			if asJSON {
				err = env.JSON(report)
			} else {
				err = report.Print(env.Stdout)
			}
			return errors.Join(err, report.Failed())
		},
	}
}
