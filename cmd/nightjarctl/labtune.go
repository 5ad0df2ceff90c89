// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/motion/lab"
)

// tuned is the answer of lab tune.
type tuned struct {
	Settings []tunedPoint `json:"settings"`
	Best     []string     `json:"best"` // over all scenes
	Held     []tunedPoint `json:"held_out"`
	Total    *lab.Row     `json:"held_out_total"` // null with one scene
}

type tunedPoint struct {
	Set []string `json:"set"`
	lab.Row
}

func labTuneCommand() cli.Command {
	var t trial
	var params words
	var labels string
	var asJSON bool
	return cli.Command{
		Name:  "tune",
		Usage: "nightjarctl lab tune --param KEY=VALUE,VALUE... [--labels FILE] [--set KEY=VALUE] [--hardship SPEC] [--json] FOLDER [SCENE...]",
		Short: "Try many settings of the detector on films with labels",
		Long: `Every combination of the parameters is held against all labelled films of the folder, see "nightjarctl help lab score".
The first table is the trade-off between recall and false alarms; a star marks the best F1.

The second one is the honest one: for each scene, the setting that is best on all the others, and how it does on this
one. Where that is much worse than the first table, the settings suit the films and not the world.

A film is decoded once for all settings that fit into 256 MiB of detectors.`,
		Args: -1,
		Flags: func(f *flag.FlagSet) {
			t.flags(f)
			labelsFlag(f, &labels)
			f.Var(&params, "param", "a setting and the values to try, `KEY=VALUE,VALUE`; may be given again")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			if _, err := t.config(); err != nil {
				return err
			}
			if len(params) == 0 {
				return cli.Usagef("no --param given: there is nothing to tune")
			}
			films, err := folder(args, labels)
			if err != nil {
				return err
			}
			result, err := films.Tune(ctx, t.settings, params, t.hardships, progress(env.Stderr, len(films.Scenes)))
			if err != nil {
				return err
			}
			if asJSON {
				return env.JSON(tunedAnswer(result))
			}
			return result.Write(env.Stdout)
		},
	}
}

func tunedAnswer(r *lab.Tuning) tuned {
	answer := tuned{Settings: []tunedPoint{}, Held: []tunedPoint{}, Best: r.Points[r.Best].Set}
	for _, p := range r.Points {
		answer.Settings = append(answer.Settings, tunedPoint{p.Set, p.Total.Row()})
	}
	for _, h := range r.Held {
		answer.Held = append(answer.Held, tunedPoint{h.Set, h.Outcome.Row()})
	}
	if len(r.Held) > 0 {
		total := r.HeldTotal().Row()
		answer.Total = &total
	}
	return answer
}
