// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
)

func renewCommand() cli.Command {
	var state string
	var asJSON bool
	return cli.Command{
		Name:  "renew",
		Usage: "nightjar renew [--state DIR] [--json]",
		Short: "Renew this camera's certificate now",
		Long: `Has the hub certify a new key for this camera, by the identity that enrolment made. "nightjar run" does so by
itself at two thirds of the certificate's life, and after an absence of any length; this command does it now. A
running agent uses the new certificate from its next connection on.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			c, err := runRenew(ctx, state)
			if err != nil {
				return err
			}
			until := c.TLS.Leaf.NotAfter.UTC()
			if asJSON {
				return env.JSON(struct {
					Device string    `json:"device"`
					Until  time.Time `json:"until"`
				}{c.Device, until})
			}
			fmt.Fprintf(env.Stdout, "renewed the certificate of %s until %s\n", c.Device, until.Format(time.RFC3339))
			return nil
		},
	}
}

// newRenewal is the agent's task that does what the command does, in time.
func newRenewal(cfg config.Config, trouble func() error, log *slog.Logger) (*enroll.Renewal, error) {
	store, err := openKeys(cfg.State)
	if err != nil {
		return nil, err
	}
	return enroll.NewRenewal(store, trouble, log)
}

func runRenew(ctx context.Context, state string) (keys.Credential, error) {
	store, err := openKeys(state)
	if err != nil {
		return keys.Credential{}, err
	}
	old, err := store.Credential()
	if err != nil {
		return old, err
	}
	c, err := renewed(ctx, store, old)
	if err != nil {
		return c, err
	}
	return c, store.SaveCredential(c)
}

// renewed has the hub of c certify a new key. It saves nothing.
func renewed(ctx context.Context, store *keys.Store, c keys.Credential) (keys.Credential, error) {
	identity, err := store.Identity()
	if err != nil {
		return c, err
	}
	return enroll.Renew(ctx, c, identity)
}
