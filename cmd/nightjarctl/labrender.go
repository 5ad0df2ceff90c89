// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/motion/lab"
)

func labRenderCommand() cli.Command {
	var t trial
	r := lab.Rendering{}
	var at float64
	return cli.Command{
		Name:  "render",
		Usage: "nightjarctl lab render -o FILE [--frame N | --at S] [--fps N] [--set KEY=VALUE] [--hardship SPEC] FILM",
		Short: "Draw what the detector sees in a film",
		Long: `Draws the blocks that differ (red, or yellow where they only keep a motion alive), those that are busy by habit (blue)
and those that no zone counts (dark), boxes around what moves, and below it the reason and the score.

A .png shows one frame: the one asked for, or the one with the highest score. A .mp4 shows the whole film, and needs
ffmpeg to write it.`,
		Args: 1,
		Flags: func(f *flag.FlagSet) {
			t.flags(f)
			fpsFlag(f, &r.FPS)
			f.StringVar(&r.Out, "o", "", "draw into `FILE`, a .png or a .mp4")
			f.IntVar(&r.Frame, "frame", -1, "draw frame `N`, counted from 0; -1 is the one with the highest score")
			f.Float64Var(&at, "at", -1, "draw the first frame from `S` seconds on; -1 is none")
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			switch {
			case len(args) == 0:
				return cli.Usagef("no film given")
			case r.Out == "":
				return cli.Usagef("render needs -o: the .png or .mp4 to draw into")
			case r.Frame >= 0 && at >= 0:
				return cli.Usagef("give either --frame or --at")
			case !(at < 1e6):
				return cli.Usagef("--at is %v, give seconds", at)
			}
			var err error
			if r.Config, err = t.config(); err != nil {
				return err
			}
			r.Path, r.Hardships, r.At = args[0], t.hardships, time.Duration(at*float64(time.Second))
			v, err := lab.Render(ctx, r)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: frame %d at %.2f s, %s, score %.4f\n", r.Out, v.Frame, v.T.Seconds(), v.Why, v.Score)
			return err
		},
	}
}
