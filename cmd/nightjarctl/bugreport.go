// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/bugreport"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

func bugreportCommand() cli.Command {
	var out, store, state, log string
	return cli.Command{
		Name:  "bugreport",
		Usage: "nightjarctl bugreport [--store DIR] [--state DIR] [--log FILE] [-o FILE]",
		Short: "Pack what a maintainer needs into one file, without secrets",
		Long: `Packs facts about this machine and the names and sizes of the files in a hub's folder or a camera's state folder. Keys and
clips are not read; what looks like a secret is struck out. Look into it before you send it. On a camera "nightjar bugreport"
packs more: configuration, status, and what the doctor finds.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&store, "store", "", "list the hub's folder `DIR`")
			f.StringVar(&state, "state", "", "list the camera's state folder `DIR`, and take its status")
			f.StringVar(&log, "log", "", "include the last MiB of the log in `FILE`")
			f.StringVar(&out, "o", "", "write the report to `FILE` instead of nightjar-report-TIME.tar.gz; it must not exist")
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			r := bugreport.New("nightjarctl", cli.Release(), time.Now())
			dirs := []string{"."}
			if store != "" {
				r.Listing("store.txt", store)
				dirs = append(dirs, store)
			}
			if state != "" {
				r.Listing("state.txt", state)
				r.File("status.json", state+"/run/status.json")
				dirs = append(dirs, state)
			}
			r.System(dirs...)
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
