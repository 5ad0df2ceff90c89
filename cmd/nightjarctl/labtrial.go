// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"strings"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/motion/lab"
)

// tried is the answer of lab trial.
type tried struct {
	Film   string      `json:"film"`
	Trials []lab.Trial `json:"trials"`
}

func labTrialCommand() cli.Command {
	var t trial
	s := lab.Stretch{To: -1}
	var asJSON bool
	return cli.Command{
		Name:  "trial",
		Usage: "nightjarctl lab trial [--from N] [--to N] [--fps N] [--swing] [--length D] [--set KEY=VALUE] [--hardship SPEC] [--json] FILM",
		Short: "Try hardships on a stretch of film in which nothing moves",
		Long: `Each hardship is tried alone: as it is, where any motion is a false event; and with ` + lab.Passer + `
walking through, who must be seen in that time. Without --hardship it tries the standard suite. Give several in one, as
--hardship "rain night", to try them together.

--swing plays a short stretch to and fro, so that it is long enough and every frame keeps its real noise.`,
		Args: 1,
		Flags: func(f *flag.FlagSet) {
			t.flags(f)
			fpsFlag(f, &s.FPS)
			f.IntVar(&s.From, "from", 0, "begin with frame `N`")
			f.IntVar(&s.To, "to", -1, "end with frame `N`; -1 is the last")
			f.BoolVar(&s.Swing, "swing", false, "play it to and fro")
			f.DurationVar(&s.Length, "length", 0, "play it for `D`, such as 20s; 0 is once, or 16s of swinging")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("no film given")
			}
			hardships := []string(t.hardships)
			t.hardships = strings.Fields(t.hardships.String())
			cfg, err := t.config()
			if err != nil {
				return err
			}
			if len(hardships) == 0 {
				hardships, _ = lab.Suite()
			}
			s.Path = args[0]
			trials, err := s.Try(ctx, cfg, hardships)
			if err != nil {
				return err
			}
			if asJSON {
				return env.JSON(tried{Film: s.Path, Trials: trials})
			}
			return lab.WriteTrials(env.Stdout, trials)
		},
	}
}
