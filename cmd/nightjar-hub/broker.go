// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub"
)

func brokerCommand() cli.Command {
	return cli.Command{
		Name:  "broker",
		Usage: "nightjar-hub broker COMMAND",
		Short: "Prepare an external MQTT broker, such as mosquitto",
		Sub:   []cli.Command{brokerCertificateCommand()},
	}
}

func brokerCertificateCommand() cli.Command {
	var dir, out string
	var asJSON bool
	return cli.Command{
		Name:  "certificate",
		Usage: "nightjar-hub broker certificate --dir DIR --out DIR [--json]",
		Short: "Make the certificate that a broker shows to cameras",
		Long: `Writes broker.crt, broker.key and ca.crt, which says whose clients the broker lets in. They belong into the broker's
configuration: docs/mosquitto shows it. Then start the hub with "nightjar-hub run --broker HOST:PORT".

Run it again, and restart the broker, after each "nightjar-hub ca rotate" and "ca retire": cameras and hub trust a
broker of the hub's present CA only, and a broker does not know when a former CA ends to count.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.StringVar(&out, "out", "", "folder to write to")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" || out == "" {
				return cli.Usagef("broker certificate needs --dir and --out")
			}
			if same(dir, out) {
				return cli.Usagef("--out must be another folder than the hub's: the broker has no business there")
			}
			until, err := hub.CertifyBroker(dir, out)
			if err != nil {
				return err
			}
			if asJSON {
				return env.JSON(struct {
					Folder string    `json:"folder"`
					Until  time.Time `json:"until,omitzero"`
				}{out, until.UTC()})
			}
			fmt.Fprintf(env.Stdout, "wrote broker.crt, broker.key and ca.crt into %s\n", out)
			fmt.Fprintln(env.Stderr, "give them to the broker's user, who must be able to read broker.key")
			if !until.IsZero() {
				fmt.Fprintf(env.Stderr, "make them anew on %s: until then the former CA counts, too\n", until.Format(time.DateOnly))
			}
			return nil
		},
	}
}

// same tells whether two paths lead to one folder.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return filepath.Clean(a) == filepath.Clean(b) || errX == nil && errY == nil && os.SameFile(x, y)
}
