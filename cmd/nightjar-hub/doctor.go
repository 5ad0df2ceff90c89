// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"text/tabwriter"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// verdict is the result of a check.
type verdict string

const (
	ok   verdict = "ok"
	warn verdict = "warn" // works, and will not for ever
	fail verdict = "fail"
)

// finding is what a check found; the remedy is empty when all is well.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Remedy  string  `json:"remedy,omitempty"`
}

// check is one question about a hub. Its name is stable.
type check struct {
	name string
	run  func(ctx context.Context, dir string) finding
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
			var all []finding
			failed := 0
			for _, c := range checks {
				f := c.run(ctx, dir)
				f.Check = c.name
				all = append(all, f)
				if f.Verdict == fail {
					failed++
				}
			}
			var err error
			if failed > 0 {
				err = fmt.Errorf("doctor: checks failed: %d", failed)
			}
			if asJSON {
				return errors.Join(err, env.JSON(all))
			}
			w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			for _, f := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\n", f.Verdict, f.Check, cli.Printable(f.Detail))
				if f.Remedy != "" {
					fmt.Fprintf(w, "\t\tto do: %s\n", cli.Printable(f.Remedy))
				}
			}
			return errors.Join(err, w.Flush())
		},
	}
}
