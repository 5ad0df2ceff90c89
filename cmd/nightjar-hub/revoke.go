// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

func revokeCommand() cli.Command {
	var dir, reason string
	var undo, asJSON bool
	return cli.Command{
		Name:  "revoke",
		Usage: "nightjar-hub revoke --dir DIR [--reason TEXT] [--undo] [--json] CAMERA",
		Short: "Lock a stolen or retired camera out, or let it in again",
		Long: `From now on the hub takes nothing of the camera: a running hub ends its connection within seconds, and the
camera can neither connect nor be enrolled again. Clips that it sent before stay, and can be opened.
--undo lets it in again with the keys it has.`,
		Args: 1,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.StringVar(&reason, "reason", "", "why, for those who ask later: `TEXT` of at most 200 bytes")
			f.BoolVar(&undo, "undo", false, "let the camera in again")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, args []string) error {
			if dir == "" || len(args) != 1 {
				return cli.Usagef("revoke needs --dir and a camera")
			}
			id := args[0]
			var err error
			if undo {
				err = store.Reinstate(dir, id)
			} else {
				err = store.Revoke(dir, id, reason, time.Now())
			}
			if errors.Is(err, archive.ErrNoDevice) {
				return cli.Hint(err, "`nightjar-hub devices` lists the cameras")
			}
			if err != nil {
				return err
			}
			a, err := archive.Open(dir)
			if err != nil {
				return err
			}
			r, revoked := a.Revoked(id)
			if asJSON {
				return env.JSON(struct {
					Device  string     `json:"device"`
					Revoked bool       `json:"revoked"`
					At      *time.Time `json:"at,omitempty"`
					Reason  string     `json:"reason,omitempty"`
				}{id, revoked, since(r, revoked), r.Reason})
			}
			if revoked {
				fmt.Fprintf(env.Stdout, "%s is revoked since %s\n", id, r.At.Format("2006-01-02 15:04:05Z"))
			} else {
				fmt.Fprintf(env.Stdout, "%s is not revoked\n", id)
			}
			return nil
		},
	}
}

// since is the date of a revocation, nil for none.
func since(r archive.Revocation, revoked bool) *time.Time {
	if !revoked {
		return nil
	}
	return &r.At
}
