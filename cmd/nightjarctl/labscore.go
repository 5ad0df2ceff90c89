// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/motion/lab"
)

// scored is the answer of lab score.
type scored struct {
	Settings  []string  `json:"settings"`
	Hardships []string  `json:"hardships"`
	Scenes    []lab.Row `json:"scenes"`
	Total     lab.Row   `json:"total"`
}

func labScoreCommand() cli.Command {
	var t trial
	var labels, verdicts string
	var asJSON bool
	return cli.Command{
		Name:  "score",
		Usage: "nightjarctl lab score [--labels FILE] [--set KEY=VALUE] [--hardship SPEC] [--verdicts DIR] [--json] FOLDER [SCENE...]",
		Short: "Hold the detector against films with labels",
		Long: `The folder holds films and scenes.json, which has an entry for each by name: fps, and events as [[first,last],...] in
frames, or "empty": true where nothing moves at all; "ignore": [[first,last],...] takes frames out of the score. NAME.events.csv (frame,present,valid) says it frame by frame.
Entries in labels.json, or the file given with --labels, add to scenes.json or replace single fields.

Without a CSV file the half second before an event, the second after it and the first 100 frames are not scored;
of an empty film the first two seconds are not. Films without labels are run and listed, not scored.

recall: present frames with motion. precision: present frames in those with motion. FPR: empty frames with motion.
events: those with motion in any frame. late: from an event's first frame to its first with motion.

With --verdicts another program is judged in place of the detector: DIR/NAME.txt has a 0 or a 1 for each frame.`,
		Args: -1,
		Flags: func(f *flag.FlagSet) {
			t.flags(f)
			labelsFlag(f, &labels)
			f.StringVar(&verdicts, "verdicts", "", "judge what the files in `DIR` say of each frame")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			cfg, err := t.config()
			if err != nil {
				return err
			}
			if verdicts != "" && len(t.settings)+len(t.hardships) > 0 {
				return cli.Usagef("--set and --hardship change nothing in verdicts that are there: leave them out")
			}
			films, err := folder(args, labels)
			if err != nil {
				return err
			}
			var outcomes []lab.Outcome
			done := progress(env.Stderr, len(films.Scenes))
			if verdicts != "" {
				outcomes, err = films.ScoreVerdicts(ctx, verdicts, done)
			} else {
				outcomes, err = films.Score(ctx, cfg, t.hardships, done)
			}
			if err != nil {
				return err
			}
			if !asJSON {
				return lab.WriteTable(env.Stdout, outcomes)
			}
			answer := scored{Settings: append([]string{}, t.settings...), Hardships: append([]string{}, t.hardships...), Total: lab.Total(outcomes).Row()}
			for _, o := range outcomes {
				answer.Scenes = append(answer.Scenes, o.Row())
			}
			return env.JSON(answer)
		},
	}
}

func labelsFlag(f *flag.FlagSet, p *string) {
	f.StringVar(p, "labels", "", "more labels in `FILE`, of the shape of scenes.json, instead of labels.json in the folder")
}
