// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"flag"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/motion/lab"
)

func labRunCommand() cli.Command {
	var t trial
	var fps float64
	var asJSON bool
	return cli.Command{
		Name:  "run",
		Usage: "nightjarctl lab run [--fps N] [--set KEY=VALUE] [--hardship SPEC] [--json] FILE",
		Short: "Say when something moves in a film",
		Long: `Prints the stretches with motion. With --json it prints one line for each frame:

  {"frame":n,"t":s,"motion":true,"score":0.0312,"boxes":[[x0,y0,x1,y1]],"why":"motion"}

Frames count from 0, t is in seconds, boxes are shares of width and height from the upper left. The same film gives
the same bytes on every processor.`,
		Args: 1,
		Flags: func(f *flag.FlagSet) {
			t.flags(f)
			fpsFlag(f, &fps)
			f.BoolVar(&asJSON, "json", false, "print a line of JSON for each frame")
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("no film given")
			}
			cfg, err := t.config()
			if err != nil {
				return err
			}
			out := bufio.NewWriter(env.Stdout)
			var line []byte
			var summary lab.Summary
			err = lab.Run(ctx, args[0], fps, t.hardships, cfg, func(v lab.Verdict) error {
				if !asJSON {
					summary.Add(v)
					return nil
				}
				line = v.AppendJSON(line[:0])
				_, err := out.Write(line)
				return err
			})
			if !asJSON && err == nil {
				err = summary.Write(out)
			}
			return errors.Join(err, out.Flush())
		},
	}
}

func fpsFlag(f *flag.FlagSet, p *float64) {
	f.Float64Var(p, "fps", 0, "show `N` frames a second instead of what the film says")
}
