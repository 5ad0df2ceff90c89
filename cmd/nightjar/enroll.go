// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

// words is a flag that may be given several times.
type words []string

func (w *words) String() string     { return strings.Join(*w, " ") }
func (w *words) Set(s string) error { *w = append(*w, s); return nil }

func enrollCommand() cli.Command {
	var hub, token, state string
	var recipients, owners words
	return cli.Command{
		Name:  "enroll",
		Usage: "nightjar enroll --hub HOST:PORT --token TOKEN --recipient age1... [--owner-key ed25519:...] [--state DIR]",
		Short: "Make this camera's keys and have the hub certify them",
		Long: `Makes the camera's keys, here, and asks the hub to certify them. The token comes from
"nightjar-hub token" and works once; it also names the hub's CA, so nobody can stand in for the hub.
Every --recipient (an age public key, from "nightjarctl keygen") will be able to open this camera's clips;
nobody else will. Give the owner's, and a second one kept somewhere safe. An --owner-key, from "nightjarctl command keygen",
may command the camera as its owner; "nightjar owner" shows and changes them later.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&hub, "hub", "", "address of the hub, host:port")
			f.StringVar(&token, "token", "", "one-time token from `nightjar-hub token`")
			f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
			f.Var(&recipients, "recipient", "age public key that clips are sealed to; may be given several times")
			f.Var(&owners, "owner-key", "public key whose commands are the owner's; may be given several times")
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			return runEnroll(ctx, env, hub, token, state, recipients, owners)
		},
	}
}

func runEnroll(ctx context.Context, env *cli.Env, hub, token, state string, recipients, owners words) error {
	if hub == "" || token == "" {
		return cli.Usagef("enroll needs --hub and --token")
	}
	tok, err := enroll.ParseToken(token)
	if err != nil {
		return err
	}
	var public []ed25519.PublicKey
	for _, word := range owners {
		pub, err := keys.ParsePublic(word)
		if err != nil {
			return err
		}
		public = append(public, pub)
	}
	store, err := openKeys(state)
	if err != nil {
		return err
	}
	// Recipients first: a camera that is enrolled but does not know its owner could record nothing.
	if err := setRecipients(store, recipients); err != nil {
		return err
	}
	if err := addOwners(store, public); err != nil {
		return err
	}
	identity, err := store.Identity()
	if err != nil {
		return err
	}
	credential, err := enroll.Enroll(ctx, hub, tok, identity)
	if err != nil {
		return err
	}
	if err := store.SaveCredential(credential); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "enrolled as %s at %s\nidentity %s\n", credential.Device, hub, identity.Fingerprint())
	return nil
}

func noRecipient() error {
	return cli.Hint(errors.New("no recipient: nobody could open this camera's clips"),
		"make an owner's key with `nightjarctl keygen -o owner.key`, and give its public key to `nightjar enroll --recipient`")
}

func setRecipients(store *keys.Store, lines words) error {
	if len(lines) == 0 {
		if _, err := store.Recipients(); err != nil {
			return noRecipient()
		}
		return nil
	}
	text := strings.Join(lines, "\n") + "\n"
	if _, err := seal.Recipients(strings.NewReader(text)); err != nil {
		return err
	}
	return store.SetRecipients([]byte(text))
}
