// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/motion/lab"
	"github.com/nightjar-cam/nightjar/motion/lab/hardship"
)

func labCommand() cli.Command {
	return cli.Command{
		Name:  "lab",
		Usage: "nightjarctl lab COMMAND",
		Short: "Run the camera's motion detector over films",
		Long: `The detector here is the one in the camera, so a film of your own tells what your camera would have done. Motion
JPEG in AVI and Y4M are read without help; other films need ffmpeg.`,
		Sub: []cli.Command{labRunCommand(), labScoreCommand(), labRenderCommand(), labTuneCommand(), labTrialCommand(), labHardshipsCommand()},
	}
}

// words collects the values of a flag that may be given more than once.
type words []string

func (w *words) String() string     { return strings.Join(*w, " ") }
func (w *words) Set(s string) error { *w = append(*w, s); return nil }

// trial is what the commands of the laboratory can change: the flags that they share.
type trial struct {
	settings, hardships words
}

func (t *trial) flags(f *flag.FlagSet) {
	f.Var(&t.settings, "set", "change one setting of the detector, `KEY=VALUE`; may be given again; keys are "+strings.Join(lab.Keys(), ", "))
	f.Var(&t.hardships, "hardship", "make the film harder, `SPEC` such as night or rain:rate=40; may be given again, applies in the order given")
}

// config returns the setting, and finds what is wrong with the hardships before a film is opened.
func (t *trial) config() (motion.Config, error) {
	if _, err := lab.Harden(t.hardships); err != nil {
		return motion.Config{}, cli.Hint(cli.Usagef("%v", err), "`nightjarctl lab hardships` lists them")
	}
	cfg, err := lab.Configure(t.settings)
	if err != nil {
		return cfg, cli.Usagef("%v", err)
	}
	return cfg, nil
}

// folder opens the folder of films that a command's arguments name, with the scenes that follow it.
func folder(args []string, labels string) (*lab.Folder, error) {
	if len(args) == 0 {
		return nil, cli.Usagef("no folder given: name one with films and scenes.json")
	}
	f, err := lab.OpenFolder(args[0], labels)
	if err != nil {
		return nil, err
	}
	return f, f.Choose(args[1:])
}

// progress says which scenes are done, one line each.
func progress(w io.Writer, scenes int) func(string) {
	var mu sync.Mutex
	done := 0
	return func(name string) {
		mu.Lock()
		defer mu.Unlock()
		done++
		fmt.Fprintf(w, "%d of %d: %s\n", done, scenes, cli.Printable(name))
	}
}

func labHardshipsCommand() cli.Command {
	return cli.Command{
		Name:  "hardships",
		Usage: "nightjarctl lab hardships [NAME...]",
		Short: "List what can make a film harder to watch",
		Long: `Each is a model with its source, and says what it leaves out. Give one or more with --hardship to the other commands,
in the order in which they come: who is in the scene, what falls on it, what is in the air, the mount, the camera.`,
		Args: -1,
		Run: func(_ context.Context, env *cli.Env, names []string) error {
			if len(names) == 0 {
				names = hardship.Names()
			}
			for i, name := range names {
				text := hardship.Describe(name)
				if text == "" {
					return cli.Usagef("no hardship %q, there are %s", name, strings.Join(hardship.Names(), ", "))
				}
				if i > 0 {
					fmt.Fprintln(env.Stdout)
				}
				fmt.Fprint(env.Stdout, text)
			}
			return nil
		},
	}
}
