// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub"
)

func caCommand() cli.Command {
	return cli.Command{
		Name:  "ca",
		Usage: "nightjar-hub ca COMMAND",
		Short: "Show and rotate the keys that cameras trust",
		Sub:   []cli.Command{caShowCommand(), caRotateCommand(), caRetireCommand()},
	}
}

// ca is a row of the answer.
type ca struct {
	Role        string    `json:"role"`        // current, spare or former
	Fingerprint string    `json:"fingerprint"` // hex SHA-256 of the certificate
	Until       time.Time `json:"until"`       // it counts until then
}

func caShowCommand() cli.Command {
	var dir string
	var asJSON bool
	return cli.Command{
		Name:  "show",
		Usage: "nightjar-hub ca show --dir DIR [--json]",
		Short: "Show the certificate authorities that cameras trust",
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("ca show needs --dir")
			}
			t, err := hub.LoadTrust(dir)
			if err != nil {
				return err
			}
			rows := []ca{authority("current", t.CA)}
			if t.Next != nil {
				rows = append(rows, authority("spare", t.Next))
			}
			if t.Old != nil {
				former := authority("former", t.Old)
				former.Until = t.OldUntil.UTC()
				rows = append(rows, former)
			}
			if asJSON {
				return env.JSON(rows)
			}
			w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CA\tUNTIL\tSHA-256")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\n", r.Role, r.Until.Format("2006-01-02"), r.Fingerprint)
			}
			return w.Flush()
		},
	}
}

func authority(role string, cert *x509.Certificate) ca {
	sum := sha256.Sum256(cert.Raw)
	return ca{role, hex.EncodeToString(sum[:]), cert.NotAfter.UTC()}
}

func caRotateCommand() cli.Command {
	var dir string
	var force bool
	return cli.Command{
		Name:  "rotate",
		Usage: "nightjar-hub ca rotate --dir DIR [--force]",
		Short: "Let the spare CA, server and receipt keys take over",
		Long: `The spare CA and the spare receipt key take over, and new spares are made. Every camera knows the spares from its
last renewal, so nothing is to be done on the cameras: certificates by the former CA count for 60 days more, and a
camera that was away comes back by itself. One that is away for two rotations must be enrolled again; a second
rotation within 60 days is therefore refused without --force.

The key of the spare CA (ca-next.key) may be kept elsewhere and put back for this command. Tokens that are not used
yet become void. Start the hub again afterwards: until then it goes on with the former keys. When somebody else may
have the former key, let "nightjar-hub ca retire" follow.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.BoolVar(&force, "force", false, "rotate although cameras may not know the spare yet")
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("ca rotate needs --dir")
			}
			before, err := hub.LoadTrust(dir)
			if err != nil {
				return err
			}
			err = hub.Rotate(dir, force)
			switch {
			case errors.Is(err, hub.ErrOverlap):
				return cli.Hint(err, "with --force, cameras that have not renewed since must be enrolled again")
			case errors.Is(err, fs.ErrNotExist):
				return cli.Hint(err, "put ca-next.key back into the hub's folder")
			case err != nil:
				return err
			case before.Next == nil:
				fmt.Fprintln(env.Stdout, "made the spares, which this hub did not have; rotate in 60 days, when all cameras know them")
			default:
				fmt.Fprintln(env.Stdout, "rotated")
			}
			fmt.Fprintln(env.Stderr, "start the hub again: until then it goes on with the former keys")
			return nil
		},
	}
}

func caRetireCommand() cli.Command {
	var dir string
	return cli.Command{
		Name:  "retire",
		Usage: "nightjar-hub ca retire --dir DIR",
		Short: "Stop trusting the former CA now",
		Long: `Ends the 60 days in which certificates by the CA before the last rotation count: for a CA whose key somebody else
may have. Cameras that show such a certificate are refused, renew within a minute, and are back. Start the hub again
afterwards.`,
		Flags: func(f *flag.FlagSet) { f.StringVar(&dir, "dir", "", "folder of the hub") },
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("ca retire needs --dir")
			}
			if err := hub.Retire(dir); err != nil {
				return err
			}
			fmt.Fprintln(env.Stdout, "retired the former CA")
			fmt.Fprintln(env.Stderr, "start the hub again: until then it trusts it")
			return nil
		},
	}
}
