// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

func keygenCommand() cli.Command {
	var file string
	var asJSON bool
	return cli.Command{
		Name:  "keygen",
		Usage: "nightjarctl keygen [-o FILE] [--json]",
		Short: "Make an owner's key, the only thing that opens clips",
		Long: `Makes an age identity. With -o it is written to a new file that only you may read, and the public key
(age1...), which cameras get with --recipient, is printed. Without -o the identity itself is printed, as
age-keygen does.

Nobody can open a clip whose key is lost, and nobody can replace the key: keep a copy in a safe place, or
give each camera a second recipient whose key is kept there.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&file, "o", "", "write the key to a new `FILE`")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			var key bytes.Buffer
			recipient, err := seal.GenerateOwner(&key, time.Now())
			if err != nil {
				return err
			}
			if file == "" {
				if asJSON {
					return cli.Usagef("--json needs -o: the key itself is an age file, not JSON")
				}
				fmt.Fprintf(env.Stderr, "public key: %s\n", recipient)
				_, err := env.Stdout.Write(key.Bytes())
				return err
			}
			if err := writeNew(file, key.Bytes()); err != nil {
				err = fmt.Errorf("write key: %w", err)
				if errors.Is(err, fs.ErrExist) {
					err = cli.Hint(err, "a key is never written over: give another file")
				}
				return err
			}
			if asJSON {
				return env.JSON(struct {
					File      string `json:"file"`
					Recipient string `json:"recipient"`
				}{file, recipient})
			}
			fmt.Fprintln(env.Stdout, recipient)
			fmt.Fprintf(env.Stderr, "the key is in %s; keep a copy: without it no clip can be opened\n", file)
			return nil
		},
	}
}
