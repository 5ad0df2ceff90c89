// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// maxTTL keeps a forgotten token from being a key under the mat.
const maxTTL = 30 * 24 * time.Hour

func tokenCommand() cli.Command {
	var dir, device string
	var ttl time.Duration
	var asJSON bool
	return cli.Command{
		Name:  "token",
		Usage: "nightjar-hub token --dir DIR --device ID [--ttl DURATION] [--json]",
		Short: "Make a one-time token that enrols one camera",
		Long: `Prints a word to give to "nightjar enroll" on the camera. It works once, until it expires, for the named camera;
it also tells the camera which hub is the right one. The hub may be running. Make a new one to enrol a
camera again.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.StringVar(&device, "device", "", "camera's `ID`: a to z, 0 to 9 and dashes")
			f.DurationVar(&ttl, "ttl", time.Hour, "how long it is valid, a `DURATION` up to 720h")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" || device == "" {
				return cli.Usagef("token needs --dir and --device")
			}
			if ttl <= 0 || ttl > maxTTL {
				return cli.Usagef("--ttl %v: must be more than 0 and at most %v", ttl, maxTTL)
			}
			if a, err := archive.Open(dir); err == nil {
				if r, yes := a.Revoked(device); yes && r.Unclaimed {
					return cli.Hint(fmt.Errorf("camera %s was reset, and its clips keep the name", device), "give the camera a new name, such as "+device+"-2")
				} else if yes {
					return cli.Hint(fmt.Errorf("camera %s is revoked", device), "`nightjar-hub revoke --undo` lets it in again")
				}
			}
			expires := time.Now().Add(ttl).UTC().Truncate(time.Second)
			token, err := hub.NewToken(dir, device, ttl)
			if err != nil {
				return err
			}
			if asJSON {
				return env.JSON(struct {
					Device  string    `json:"device"`
					Token   string    `json:"token"`
					Expires time.Time `json:"expires"`
				}{device, token, expires})
			}
			fmt.Fprintln(env.Stdout, token)
			fmt.Fprintf(env.Stderr, "valid once, until %s; on the camera: nightjar enroll --hub HOST:PORT --token TOKEN --recipient age1...\n",
				expires.Local().Format("2006-01-02 15:04:05"))
			return nil
		},
	}
}
