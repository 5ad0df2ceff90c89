// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/motion"
)

// table is the console's program. It has the name of the one on the board, and its commands: what is in the field guide for the one
// holds for the other.
func (d *desk) table(commands []cli.Command) cli.Command {
	return cli.Command{Name: "nightjar", Usage: "nightjar COMMAND", Short: "Serve this camera",
		Long: "`login` and `logout` begin and end a visit, `more off` shows long answers without a stop, ^C ends a command.", Sub: commands}
}

// commands are the commands for a visitor, whether they may give them or not; name is the camera's.
func (d *desk) commands(v console.Visitor, name string) []cli.Command {
	all := []cli.Command{
		statusCommand(), netCommand(), wifiCommand(), enrollCommand(), doctorCommand(), d.logsCommand(), d.focusCommand(), d.zonesCommand(),
		privacyCommand(), otaCommand(), configCommand(), hubCommand(), d.rebootCommand(v), d.resetCommand(name), cli.VersionCommand("nightjar"),
	}
	for i := range all {
		all[i] = d.bound(all[i])
	}
	i := slices.IndexFunc(all, func(c cli.Command) bool { return c.Name == "enroll" })
	all[i] = d.enrollHere(all[i], v)
	return all
}

var pathFlags = regexp.MustCompile(` \[--(config|state) [A-Z]+\]`)

// bound is a command about this camera and no other file: at the console a path would read, or write, what the agent may and a technician
// must not.
func (d *desk) bound(c cli.Command) cli.Command {
	paths := map[string]string{"config": d.file, "state": d.cfg.State}
	c.Usage = pathFlags.ReplaceAllString(c.Usage, "")
	if define := c.Flags; define != nil {
		c.Flags = func(f *flag.FlagSet) {
			all := flag.NewFlagSet("", flag.ContinueOnError)
			define(all)
			all.VisitAll(func(one *flag.Flag) {
				if path, ok := paths[one.Name]; ok {
					_ = one.Value.Set(path) // a string takes any
					return
				}
				f.Var(one.Value, one.Name, one.Usage)
			})
		}
	}
	c.Sub = slices.Clone(c.Sub)
	for i := range c.Sub {
		c.Sub[i] = d.bound(c.Sub[i])
	}
	return c
}

// enrollHere also begins the tasks anew. Who may open the clips, and who is an owner, is the owner's affair: a technician who enrols a
// camera again cannot make themselves one.
func (d *desk) enrollHere(c cli.Command, v console.Visitor) cli.Command {
	define, run := c.Flags, c.Run
	var flags *flag.FlagSet
	c.Flags = func(f *flag.FlagSet) { define(f); flags = f }
	c.Run = func(ctx context.Context, env *cli.Env, args []string) error {
		if _, enrolled := d.device(); enrolled && v.Role != string(command.Owner) {
			var given error
			flags.Visit(func(f *flag.Flag) {
				if f.Name == "recipient" || f.Name == "owner-key" {
					given = fmt.Errorf("--%s is for the owner: without it, those who could open the clips and command the camera stay", f.Name)
				}
			})
			if given != nil {
				return given
			}
		}
		if err := run(ctx, env, args); err != nil {
			return err
		}
		d.end(errAnew)
		return nil
	}
	return c
}

// do does what a command from afar would, by the same action.
func (d *desk) do(ctx context.Context, name string, args any) (any, error) {
	a := d.agent.Load()
	if a == nil {
		return nil, errors.New("the agent is just starting: try again in some seconds")
	}
	act, ok := a.actions[name]
	if !ok {
		return nil, fmt.Errorf("command %s is not built into this release", name)
	}
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	return act(ctx, text)
}

func otaCommand() cli.Command {
	return cli.Command{Name: "ota", Usage: "nightjar ota", Short: "Show what updates do",
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			_, err := fmt.Fprintln(env.Stdout, "updates over the air are not built into this release; this is "+cli.Release())
			return err
		}}
}

func (d *desk) logsCommand() cli.Command {
	var follow bool
	var lines int
	return cli.Command{
		Name: "logs", Usage: "nightjar logs [-f] [-n LINES]", Short: "Show what the agent said last",
		Flags: func(f *flag.FlagSet) {
			f.BoolVar(&follow, "f", false, "go on with what comes, until ^C")
			f.IntVar(&lines, "n", 100, "show so many `LINES`")
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			if talk, ok := console.TalkOf(ctx); ok && follow {
				talk.Live()
			}
			return d.ring.print(ctx, env.Stdout, max(0, lines), follow)
		},
	}
}

func (d *desk) zonesCommand() cli.Command {
	return cli.Command{Name: "zones", Usage: "nightjar zones", Short: "Show the parts of the picture that count",
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			cfg := d.cfg
			if a := d.agent.Load(); a != nil {
				cfg = a.cfg
			}
			return printZones(env, cfg.Motion)
		}}
}

func printZones(env *cli.Env, cfg motion.Config) error {
	if len(cfg.Zones) == 0 {
		_, err := fmt.Fprintln(env.Stdout, "no zones: motion anywhere in the picture counts")
		return err
	}
	t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tKIND\tCORNERS (shares of the picture, from the upper left)")
	for _, z := range cfg.Zones {
		var corners []string
		for _, p := range z.Polygon {
			corners = append(corners, fmt.Sprintf("%g,%g", p[0], p[1]))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", z.Name, z.Kind, strings.Join(corners, " "))
	}
	return t.Flush()
}

// confirm asks for the camera's name: what follows cannot be taken back.
func confirm(ctx context.Context, name, what string) error {
	talk, ok := console.TalkOf(ctx)
	if !ok {
		return errors.New("this needs somebody to answer")
	}
	answer, err := talk.Ask(what+" Type the camera's name, "+name+", to go on: ", false)
	if err != nil || strings.TrimSpace(answer) != name {
		return errors.New("nothing was done")
	}
	return nil
}

func (d *desk) resetCommand(name string) cli.Command {
	c := resetCommand()
	c.Usage, c.Flags = "nightjar factory-reset", nil
	c.Long = `Takes leave of the hub if that answers, and destroys keys, unsent clips and settings. The agent ends for it, and the console
with it, for some seconds.`
	c.Run = func(ctx context.Context, env *cli.Env, _ []string) error {
		if err := confirm(ctx, name, "This destroys the camera's keys and the clips that the hub does not have, for good."); err != nil {
			return err
		}
		if _, err := d.do(ctx, command.Reset, struct{}{}); err != nil {
			return err
		}
		_, err := fmt.Fprintln(env.Stdout, "this camera will be nobody's in some seconds: `enroll` makes it somebody's again")
		return err
	}
	return c
}

func (d *desk) rebootCommand(v console.Visitor) cli.Command {
	return cli.Command{
		Name: "reboot", Usage: "nightjar reboot", Short: "Start the board anew",
		Long: "Ends the clip that is being recorded, lets the agent end in good order, and starts the board anew.",
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			d.log.Warn("the board is rebooted", "code", "board-reboot", "by", v.Name, "key", v.Fingerprint)
			d.end(errRebootAsked)
			_, err := fmt.Fprintln(env.Stdout, "the board starts anew: this console is back when it has")
			return err
		},
	}
}
