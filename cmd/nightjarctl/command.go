// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/command"
)

func commandCommand() cli.Command {
	return cli.Command{
		Name:  "command",
		Usage: "nightjarctl command COMMAND",
		Short: "Sign commands that cameras take from their owner only",
		Sub:   []cli.Command{commandKeygenCommand(), commandSignCommand()},
	}
}

func commandKeygenCommand() cli.Command {
	var key newKey
	return cli.Command{
		Name:  "keygen",
		Usage: "nightjarctl command keygen -o FILE [--passphrase-file FILE|--no-passphrase] [--json]",
		Short: "Make the key that signs the owner's commands",
		Long: `Makes an Ed25519 key in a new file that only you may read, and prints its public half. Cameras get that with
"nightjar enroll --owner-key" or "nightjar owner add". Whoever has the key commands them as the owner: at a terminal
a passphrase is asked for, which protects the file as "age -p" does. It opens no clips; that is the key of
"nightjarctl keygen".`,
		Flags: func(f *flag.FlagSet) { key.fileFlags(f) },
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if key.file == "" {
				return cli.Usagef("command keygen needs -o, the file for the key")
			}
			pub, text, err := makeCommandKey()
			if err != nil {
				return err
			}
			if text, err = key.protect(env, text); err != nil {
				return err
			}
			if err := key.place(text); err != nil {
				return err
			}
			if key.asJSON {
				return env.JSON(struct {
					File        string `json:"file"`
					Public      string `json:"public"`
					Fingerprint string `json:"fingerprint"`
				}{key.file, keys.PublicText(pub), keys.Fingerprint(pub)})
			}
			_, err = fmt.Fprintln(env.Stdout, keys.PublicText(pub))
			return err
		},
	}
}

func commandSignCommand() cli.Command {
	var key ownerKey
	var device string
	var ttl time.Duration
	var above uint64
	return cli.Command{
		Name:  "sign",
		Usage: "nightjarctl command sign --key FILE --device CAMERA [--ttl DURATION] [--above NUMBER] [--passphrase-file FILE] NAME [ARGUMENTS]",
		Short: "Sign a command for one camera",
		Long: `Prints a command, as one line, which "nightjar-hub command CAMERA --signed FILE" hands on. The hub can drop it, and can
neither change nor repeat it: it is for one camera, expires, and has a number that the camera obeys once. The last number
for each camera is kept beside the key, in FILE.numbers. When a camera answers that it has seen a higher one, because
the clock of a computer was wrong, give that one with --above.
ARGUMENTS are a JSON object, such as '{"hub":"hub.lan:8883"}'. The commands are:
  ` + strings.Join(command.Names(), "\n  "),
		Args: 2,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&key.file, "key", "", "key `FILE` of \"nightjarctl command keygen\"")
			key.passphraseFlag(f)
			f.StringVar(&device, "device", "", "the `CAMERA` that is to obey")
			f.DurationVar(&ttl, "ttl", time.Hour, "how long the command is good for, a `DURATION` up to 24h")
			f.Uint64Var(&above, "above", 0, "a `NUMBER` that the command's must be higher than")
		},
		Run: func(_ context.Context, env *cli.Env, args []string) error {
			if key.file == "" || device == "" || len(args) == 0 {
				return cli.Usagef("command sign needs --key, --device and what the camera is to do")
			}
			c := command.Command{Device: device, Name: args[0]}
			if len(args) == 2 {
				c.Args = json.RawMessage(args[1])
			}
			jws, err := signCommand(key, c, ttl, above, time.Now())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "%s\n", jws)
			return err
		},
	}
}

func signCommand(key ownerKey, c command.Command, ttl time.Duration, above uint64, now time.Time) ([]byte, error) {
	if err := command.Allowed(c.Name, command.Owner); err != nil {
		return nil, err
	}
	if len(c.Args) > 0 && !json.Valid(c.Args) {
		return nil, cli.Usagef("the arguments are no JSON: write an object such as '{\"hub\":\"hub.lan:8883\"}'")
	}
	private, err := key.commandKey()
	if err != nil {
		return nil, err
	}
	n, err := openNumbers(key.file)
	if err != nil {
		return nil, err
	}
	c.Issued = now.UTC().Truncate(time.Millisecond)
	c.Expires = c.Issued.Add(ttl).Truncate(time.Millisecond)
	if c.Seq, err = n.next(c.Device, above, now); err != nil {
		return nil, err
	}
	return command.Sign(private, c)
}
