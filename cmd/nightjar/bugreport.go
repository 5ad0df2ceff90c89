// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/bugreport"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/doctor"
)

func bugreportCommand() cli.Command {
	var file, out, log string
	return cli.Command{
		Name:  "bugreport",
		Usage: "nightjar bugreport [--config FILE] [--log FILE] [-o FILE]",
		Short: "Pack what a maintainer needs into one file, without secrets",
		Long: `Packs the configuration in force, what the running agent says of itself, what the doctor finds, facts about the board, and the
names and sizes of the files in the state folder. Keys and clips are not read; what looks like a secret is struck out. Look
into it before you send it: it names your hub, your zones and when clips were recorded.`,
		Flags: func(f *flag.FlagSet) {
			configFlag(f, &file)
			f.StringVar(&out, "o", "", "write the report to `FILE` instead of nightjar-report-TIME.tar.gz; it must not exist")
			f.StringVar(&log, "log", "", "include the last MiB of the agent's log in `FILE`")
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			r := bugreport.New("nightjar", cli.Release(), time.Now())
			cfg, err := loadConfig(file)
			if err != nil {
				r.Add("config-error.txt", []byte(err.Error()+"\n"))
			} else {
				text, err := cfg.Show()
				if err != nil {
					return err
				}
				r.Add("config.yml", text)
				r.File("status.json", statusFile(cfg))
				r.Listing("files.txt", cfg.State)
				r.System(cfg.State)
			}
			found, err := json.MarshalIndent(doctor.Examine(ctx, checkLimit, checks(file)), "", "  ")
			if err != nil {
				return err
			}
			r.Add("doctor.json", found)
			if log != "" {
				r.File("log.txt", log)
			}
			path, err := r.Save(out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.Stdout, path)
			return err
		},
	}
}
