// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// device is a row of the answer.
type device struct {
	ID       string     `json:"id"`
	Name     string     `json:"name,omitempty"`
	Identity string     `json:"identity"` // fingerprint
	Enrolled time.Time  `json:"enrolled"`
	Records  int        `json:"records"`
	Revoked  *time.Time `json:"revoked,omitempty"`

	Unclaimed bool `json:"unclaimed,omitempty"` // it was reset; Revoked says when
}

func devicesCommand() cli.Command {
	var dir string
	var asJSON bool
	return cli.Command{
		Name:  "devices",
		Usage: "nightjar-hub devices --dir DIR [--json]",
		Short: "List the enrolled cameras",
		Long: `Lists the cameras with the number of records each has sent. The identity is the fingerprint that
"nightjar enroll" printed on the camera. The hub may be running.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("devices needs --dir")
			}
			rows, err := listDevices(dir)
			if err != nil {
				return err
			}
			if asJSON {
				return env.JSON(rows)
			}
			w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CAMERA\tENROLLED\tRECORDS\tIDENTITY")
			for _, d := range rows {
				fmt.Fprintf(w, "%s\t%s\t%d\t%s", d.ID, d.Enrolled.UTC().Format("2006-01-02 15:04Z"), d.Records, d.Identity)
				if d.Revoked != nil {
					what := "revoked"
					if d.Unclaimed {
						what = "unclaimed"
					}
					fmt.Fprintf(w, "\t%s %s", what, d.Revoked.UTC().Format("2006-01-02 15:04Z"))
				}
				fmt.Fprintln(w)
			}
			return w.Flush()
		},
	}
}

func listDevices(dir string) ([]device, error) {
	store, err := archive.Open(dir)
	if err != nil {
		return nil, err
	}
	devices, err := store.Devices()
	if err != nil {
		return nil, err
	}
	rows := []device{} // an empty list is [] in JSON, not null
	for _, d := range devices {
		n, err := d.Count()
		if err != nil {
			return nil, err
		}
		r, revoked := d.Revoked()
		rows = append(rows, device{d.ID, d.Name, keys.Fingerprint(d.Identity), d.Enrolled, n, since(r, revoked), r.Unclaimed})
	}
	return rows, nil
}
