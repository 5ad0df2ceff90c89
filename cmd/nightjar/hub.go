// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink"
)

func hubCommand() cli.Command {
	var state string
	var unchecked, asJSON bool
	stateFlag := func(f *flag.FlagSet) {
		f.StringVar(&state, "state", config.Default().State, "folder of the camera's keys and spool")
	}
	return cli.Command{
		Name:  "hub",
		Usage: "nightjar hub COMMAND",
		Short: "Show the hub's address, or change it",
		Sub: []cli.Command{
			{
				Name:  "show",
				Usage: "nightjar hub show [--state DIR] [--json]",
				Short: "Print where the hub is",
				Flags: func(f *flag.FlagSet) { stateFlag(f); cli.JSONFlag(f, &asJSON) },
				Run: func(_ context.Context, env *cli.Env, _ []string) error {
					store, err := openKeys(state)
					if err != nil {
						return err
					}
					c, err := store.Credential()
					if err != nil {
						return err
					}
					if asJSON {
						return env.JSON(map[string]string{"hub": c.Hub, "broker": c.Broker(), "device": c.Device})
					}
					fmt.Fprintln(env.Stdout, c.Hub)
					if c.MQTT != "" {
						fmt.Fprintln(env.Stdout, "broker "+c.MQTT)
					}
					return nil
				},
			},
			{
				Name:  "set",
				Usage: "nightjar hub set HOST:PORT [--state DIR] [--unchecked]",
				Short: "Say where the hub has moved to",
				Long: `Tells the camera the new address of its hub. It must be the same hub, or one with the same certificate authority:
that is tried before anything is changed. A running agent connects there within seconds; what waits in the
spool goes there too. At another hub the camera has to be enrolled anew.`,
				Args: 1,
				Flags: func(f *flag.FlagSet) {
					stateFlag(f)
					f.BoolVar(&unchecked, "unchecked", false, "do not try the address: the hub is not there yet")
				},
				Run: func(ctx context.Context, env *cli.Env, args []string) error {
					if len(args) != 1 {
						return cli.Usagef("hub set needs the hub's HOST:PORT")
					}
					store, err := openKeys(state)
					if err != nil {
						return err
					}
					if err := setHub(ctx, store, args[0], !unchecked); err != nil {
						return err
					}
					_, err = fmt.Fprintf(env.Stdout, "the hub is at %s\n", args[0])
					return err
				},
			},
		},
	}
}

// setHub changes the hub's address in the credential, and nothing else; with try only if our hub answers there.
func setHub(ctx context.Context, store *keys.Store, addr string, try bool) error {
	if err := validAddr(addr); err != nil {
		return err
	}
	c, err := store.Credential()
	if err != nil {
		return err
	}
	c.Hub = addr
	if try {
		if c.MQTT != "" { // where the broker before that hub is, only the hub can say
			c, err = renewed(ctx, store, c)
		} else {
			err = uplink.Probe(ctx, c)
		}
		if err != nil {
			return cli.Hint(fmt.Errorf("try the hub at %s: %w", addr, err), "nothing was changed; --unchecked takes an address that does not answer yet")
		}
	}
	return store.SaveCredential(c)
}

// validAddr refuses what is no host:port.
func validAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || len(addr) > 300 {
		return cli.Usagef("%.80q is no HOST:PORT", addr)
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
		return cli.Usagef("port %.80q is no port", port)
	}
	return nil
}

// A credentialWatch is the task that lets a running session see that another process has changed the credential.
type credentialWatch struct {
	store   *keys.Store
	current keys.Credential
	changed func()
	log     *slog.Logger
	ready   chan struct{}
}

// watchEvery is how often it looks.
const watchEvery = 5 * time.Second

func newCredentialWatch(store *keys.Store, current keys.Credential, changed func(), log *slog.Logger) *credentialWatch {
	w := &credentialWatch{store, current, changed, log, make(chan struct{})}
	close(w.ready)
	return w
}

func (w *credentialWatch) String() string         { return "credential watch" }
func (w *credentialWatch) Ready() <-chan struct{} { return w.ready }

func (w *credentialWatch) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look()
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *credentialWatch) look() {
	c, err := w.store.Credential()
	if err != nil || c.Hub == w.current.Hub && c.MQTT == w.current.MQTT && c.TLS.Leaf.Equal(w.current.TLS.Leaf) {
		return // what cannot be read now is looked at again
	}
	w.log.Info("credential has changed", "hub", c.Hub, "until", c.TLS.Leaf.NotAfter)
	w.current = c
	w.changed()
}
