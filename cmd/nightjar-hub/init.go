// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub"
)

// names is a flag that may be given several times.
type names []string

func (n *names) String() string     { return strings.Join(*n, " ") }
func (n *names) Set(s string) error { *n = append(*n, s); return nil }

func initCommand() cli.Command {
	var dir string
	var hosts names
	return cli.Command{
		Name:  "init",
		Usage: "nightjar-hub init --dir DIR [--name HOST]...",
		Short: "Make a new hub: its certificate authority, keys and empty store",
		Long: `Makes the folder of a hub. It holds the certificate authority that enrols cameras (ca.key) and the key that
signs receipts (receipt.key): keep a copy of both in a safe place, every enrolled camera trusts them.
Cameras know the hub by its certificate authority, not by its address, so it may move; --name is needed
only for other programs that are to connect to it by a name.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub, is made")
			f.Var(&hosts, "name", "further `HOST` name or IP address of the server's certificate; may be given several times")
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("init needs --dir")
			}
			err := hub.Init(dir, hosts)
			if errors.Is(err, hub.ErrInitialised) {
				return cli.Hint(err, "its keys are never written over; to begin anew give another folder")
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "made a hub in %s\n", dir)
			fmt.Fprintf(env.Stderr, "start it with: nightjar-hub run --dir %s --listen :8883\n", dir)
			return nil
		},
	}
}
