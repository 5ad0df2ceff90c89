// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"text/tabwriter"

	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/board/wifi"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// openRadio finds the board's radio; tests have another.
var openRadio = func() (wifi.Radio, error) { return wifi.Open(wifi.Dir) }

// onRadio is a command that asks the radio.
func onRadio(do func(ctx context.Context, env *cli.Env, r wifi.Radio, args []string) error) func(context.Context, *cli.Env, []string) error {
	return func(ctx context.Context, env *cli.Env, args []string) error {
		r, err := openRadio()
		if err != nil {
			return err
		}
		return errors.Join(do(ctx, env, r, args), r.Close())
	}
}

func wifiCommand() cli.Command {
	var asJSON, open bool
	jsonFlag := func(f *flag.FlagSet) { cli.JSONFlag(f, &asJSON) }
	return cli.Command{
		Name: "wifi", Usage: "nightjar wifi COMMAND", Short: "Show radio networks, and join one",
		Sub: []cli.Command{
			{
				Name: "status", Usage: "nightjar wifi status [--json]", Short: "Show which network the board is in", Flags: jsonFlag,
				Run: onRadio(func(ctx context.Context, env *cli.Env, r wifi.Radio, _ []string) error {
					s, err := r.State(ctx)
					if err != nil {
						return err
					}
					if asJSON {
						return env.JSON(s)
					}
					if !s.Joined() {
						_, err = fmt.Fprintf(env.Stdout, "%s is in no network (%s): `wifi scan` shows what is near\n", s.Interface, s.State)
						return err
					}
					_, err = fmt.Fprintf(env.Stdout, "%s is in %q, %d dBm, address %s\n", s.Interface, s.SSID, s.Signal, s.Address)
					return err
				}),
			},
			{
				Name: "scan", Usage: "nightjar wifi scan [--json]", Short: "Show which networks are near", Flags: jsonFlag,
				Run: onRadio(func(ctx context.Context, env *cli.Env, r wifi.Radio, _ []string) error {
					near, err := r.Scan(ctx)
					if err != nil {
						return err
					}
					if asJSON {
						return env.JSON(near)
					}
					t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
					fmt.Fprintln(t, "SIGNAL\tSECURITY\tNAME")
					for _, n := range near {
						fmt.Fprintf(t, "%d dBm\t%s\t%q\n", n.Signal, n.Security, n.SSID)
					}
					return t.Flush()
				}),
			},
			{
				Name: "join", Usage: "nightjar wifi join [--open] NAME", Short: "Join a network, and keep it for the next start",
				Long: "Asks for the passphrase, which is not shown. A name with blanks stands in quotation marks. What does not work is undone.",
				Args: 1,
				Flags: func(f *flag.FlagSet) {
					f.BoolVar(&open, "open", false, "the network has no passphrase")
				},
				Run: func(ctx context.Context, env *cli.Env, args []string) error {
					if len(args) != 1 {
						return cli.Usagef("wifi join needs the network's name")
					}
					return joinWifi(ctx, env, args[0], open)
				},
			},
		},
	}
}

// joinWifi asks for the passphrase: as an argument it would be in a history, and in the list of processes.
func joinWifi(ctx context.Context, env *cli.Env, ssid string, open bool) error {
	var passphrase string
	if !open {
		talk, ok := console.TalkOf(ctx)
		if !ok {
			return cli.Usagef("wifi join asks for the passphrase, which is done at the console; --open joins a network without one")
		}
		var err error
		if passphrase, err = talk.Ask("passphrase of "+fmt.Sprintf("%q", ssid)+": ", true); err != nil || passphrase == "" {
			return errors.New("nothing was done")
		}
	}
	return onRadio(func(ctx context.Context, env *cli.Env, r wifi.Radio, _ []string) error {
		fmt.Fprintln(env.Stderr, "joining; this takes up to half a minute")
		if err := r.Join(ctx, ssid, passphrase); err != nil {
			return err
		}
		_, err := fmt.Fprintf(env.Stdout, "joined %q\n", ssid)
		return err
	})(ctx, env, nil)
}
