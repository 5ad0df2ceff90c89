// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/nightjar-cam/nightjar/capture/rpicam"
	"github.com/nightjar-cam/nightjar/capture/v4l2"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// cameras is what a board has to look through.
type cameras struct {
	V4L2    []v4l2.Camera   `json:"v4l2"`
	Rpicam  []rpicam.Camera `json:"rpicam"`
	Trouble []string        `json:"trouble,omitempty"` // why there may be more
}

func cameraCommand() cli.Command {
	var asJSON bool
	return cli.Command{
		Name:  "camera",
		Usage: "nightjar camera COMMAND",
		Short: "Show the cameras of this board",
		Sub: []cli.Command{{
			Name:  "list",
			Usage: "nightjar camera list [--json]",
			Short: "Show cameras and what they can give",
			Long: `Lists USB cameras and others that the kernel gives pictures of (source: v4l2), with the sizes and highest rates of each
format, and cameras on the ribbon cable of a Raspberry Pi (source: rpicam). While the agent reads a camera on the ribbon
cable, it cannot be listed.`,
			Flags: func(f *flag.FlagSet) { cli.JSONFlag(f, &asJSON) },
			Run: func(_ context.Context, env *cli.Env, _ []string) error {
				c := lookForCameras(v4l2.List, func() ([]rpicam.Camera, error) { return rpicam.List("") })
				if asJSON {
					return env.JSON(c)
				}
				return c.print(env)
			},
		}, controlsCommand()},
	}
}

func controlsCommand() cli.Command {
	var asJSON bool
	return cli.Command{
		Name:  "controls",
		Usage: "nightjar camera controls DEVICE [NAME=VALUE ...] [--json]",
		Short: "Show or set the knobs of a camera, such as its brightness",
		Long: `Without NAME=VALUE it lists the controls of a v4l2 camera. With them it sets controls, also while the agent reads the camera; a
camera forgets them when it is unplugged.`,
		Args:  -1,
		Flags: func(f *flag.FlagSet) { cli.JSONFlag(f, &asJSON) },
		Run: func(_ context.Context, env *cli.Env, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("camera controls needs a device, from `nightjar camera list`")
			}
			if len(args) > 1 {
				values, err := controlValues(args[1:])
				if err != nil {
					return err
				}
				return v4l2.SetControls(args[0], values)
			}
			all, err := v4l2.Controls(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return env.JSON(append([]v4l2.Control{}, all...))
			}
			t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			for _, c := range all {
				fmt.Fprintf(t, "%s\t%s\t%d to %d\tdefault %d\n", c.Name, c.Type, c.Minimum, c.Maximum, c.Default)
			}
			return t.Flush()
		},
	}
}

func controlValues(words []string) (map[string]int32, error) {
	values := map[string]int32{}
	for _, w := range words {
		name, number, ok := strings.Cut(w, "=")
		n, err := strconv.ParseInt(number, 10, 32)
		if !ok || name == "" || err != nil {
			return nil, cli.Usagef("%q is no NAME=VALUE with a number", w)
		}
		values[name] = int32(n)
	}
	return values, nil
}

func lookForCameras(kernel func() ([]v4l2.Camera, error), ribbon func() ([]rpicam.Camera, error)) cameras {
	c := cameras{V4L2: []v4l2.Camera{}, Rpicam: []rpicam.Camera{}}
	if all, err := kernel(); err != nil {
		c.Trouble = append(c.Trouble, "v4l2: "+err.Error())
	} else {
		c.V4L2 = append(c.V4L2, all...)
	}
	if all, err := ribbon(); err != nil {
		c.Trouble = append(c.Trouble, "rpicam: "+err.Error())
	} else {
		c.Rpicam = append(c.Rpicam, all...)
	}
	return c
}

func (c cameras) print(env *cli.Env) error {
	t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, v := range c.V4L2 {
		what := strings.Join(v.Formats, " ")
		if v.Trouble != "" {
			what = v.Trouble
		}
		fmt.Fprintf(t, "v4l2\t%s\t%s\t%s\n", v.Path, v.Name, what)
		for _, m := range v.Modes {
			fmt.Fprintf(t, "\t\t%s %dx%d\tup to %.4g/s\n", m.Format, m.Width, m.Height, m.Rate)
		}
	}
	for _, r := range c.Rpicam {
		fmt.Fprintf(t, "rpicam\t%d\t%s\t%s\n", r.Index, r.Sensor, r.About)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(c.V4L2)+len(c.Rpicam) == 0 {
		fmt.Fprintln(env.Stdout, "no camera was found")
	}
	for _, trouble := range c.Trouble {
		fmt.Fprintln(env.Stderr, trouble)
	}
	return nil
}
