// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"slices"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys"
)

func ownerCommand() cli.Command {
	var state string
	var asJSON bool
	stateFlag := func(f *flag.FlagSet) {
		f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
	}
	change := func(name, short string, f func([]ed25519.PublicKey, ed25519.PublicKey) ([]ed25519.PublicKey, error)) cli.Command {
		return cli.Command{
			Name:  name,
			Usage: "nightjar owner " + name + " ed25519:... [--state DIR]",
			Short: short,
			Args:  1,
			Flags: stateFlag,
			Run: func(_ context.Context, env *cli.Env, args []string) error {
				if len(args) != 1 {
					return cli.Usagef("owner %s needs a public key, from `nightjarctl command keygen`", name)
				}
				store, err := openKeys(state)
				if err != nil {
					return err
				}
				return changeOwners(env, store, args[0], f)
			},
		}
	}
	return cli.Command{
		Name:  "owner",
		Usage: "nightjar owner COMMAND",
		Short: "Show or change the keys whose commands are the owner's",
		Long: `An owner's commands are signed with "nightjarctl command sign" and carried by the hub, which can neither make nor change
them. A running agent takes a change with the next command.`,
		Sub: []cli.Command{
			change("add", "Let a key command this camera as its owner", func(all []ed25519.PublicKey, pub ed25519.PublicKey) ([]ed25519.PublicKey, error) {
				return append(all, pub), nil
			}),
			{
				Name:  "list",
				Usage: "nightjar owner list [--state DIR] [--json]",
				Short: "Print the owners' keys",
				Flags: func(f *flag.FlagSet) { stateFlag(f); cli.JSONFlag(f, &asJSON) },
				Run: func(_ context.Context, env *cli.Env, _ []string) error {
					store, err := openKeys(state)
					if err != nil {
						return err
					}
					return listOwners(env, store, asJSON)
				},
			},
			change("remove", "Hear a key no more", func(all []ed25519.PublicKey, pub ed25519.PublicKey) ([]ed25519.PublicKey, error) {
				i := slices.IndexFunc(all, func(k ed25519.PublicKey) bool { return k.Equal(pub) })
				if i < 0 {
					return nil, cli.Hint(fmt.Errorf("key %s is no owner's", keys.Fingerprint(pub)), "`nightjar owner list` shows them")
				}
				return slices.Delete(all, i, i+1), nil
			}),
		},
	}
}

func changeOwners(env *cli.Env, store *keys.Store, word string, change func([]ed25519.PublicKey, ed25519.PublicKey) ([]ed25519.PublicKey, error)) error {
	pub, err := keys.ParsePublic(word)
	if err != nil {
		return err
	}
	all, err := store.Owners()
	if err == nil {
		all, err = change(all, pub)
	}
	if err == nil {
		err = store.SetOwners(all)
	}
	if err != nil {
		return err
	}
	return listOwners(env, store, false)
}

func listOwners(env *cli.Env, store *keys.Store, asJSON bool) error {
	all, err := store.Owners()
	if err != nil {
		return err
	}
	type owner struct {
		Public      string `json:"public"`
		Fingerprint string `json:"fingerprint"`
	}
	rows := []owner{}
	for _, pub := range all {
		rows = append(rows, owner{keys.PublicText(pub), keys.Fingerprint(pub)})
	}
	if asJSON {
		return env.JSON(rows)
	}
	for _, o := range rows {
		fmt.Fprintf(env.Stdout, "%s %s\n", o.Public, o.Fingerprint)
	}
	return nil
}

// addOwners adds the keys that enrolment is given; those that are there already are left.
func addOwners(store *keys.Store, add []ed25519.PublicKey) error {
	all, err := store.Owners()
	if err != nil {
		return err
	}
	for _, pub := range add {
		if !slices.ContainsFunc(all, func(k ed25519.PublicKey) bool { return k.Equal(pub) }) {
			all = append(all, pub)
		}
	}
	return store.SetOwners(all)
}
