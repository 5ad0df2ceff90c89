// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/presence"
)

// hubStatus is the answer of status.
type hubStatus struct {
	hub.Status
	Cameras []cameraStatus `json:"cameras"`
}

// cameraStatus is a camera in it. Heard and connected are from the hub's last word.
type cameraStatus struct {
	presence.Camera
	State string `json:"state"` // online, away, silent, revoked, or unknown while the hub does not run
	Clips int    `json:"clips"` // in the store
	Bytes int64  `json:"bytes"`
}

func statusCommand() cli.Command {
	var dir string
	var asJSON bool
	return cli.Command{
		Name:  "status",
		Usage: "nightjar-hub status --dir DIR [--json]",
		Short: "Show whether the hub runs, and when each camera was heard last",
		Long: `Shows the running hub's own account, some seconds old, and what its store holds. STATE of a camera: online;
away, for less time than would be an alarm; silent, which is one; revoked; unknown while the hub does not run.
The exit code is 1 when the hub does not run.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("status needs --dir")
			}
			s, err := statusOf(dir)
			if err != nil {
				return err
			}
			var stopped error
			if !s.Running {
				stopped = cli.Hint(errors.New("the hub does not run"), "`nightjar-hub run` starts it, `nightjar-hub doctor` looks for what may keep it from running")
			}
			if asJSON {
				return errors.Join(env.JSON(s), stopped)
			}
			return errors.Join(describeStatus(env.Stdout, s), stopped)
		},
	}
}

func statusOf(dir string) (hubStatus, error) {
	a, err := archive.Open(dir)
	if err != nil {
		return hubStatus{}, err
	}
	told, err := hub.ReadStatus(dir)
	if err != nil {
		return hubStatus{}, err
	}
	if told.DiskFree, told.DiskTotal, err = hub.DiskSpace(dir); err != nil {
		return hubStatus{}, err
	}
	s := hubStatus{Status: told, Cameras: []cameraStatus{}}
	known := map[string]presence.Camera{}
	for _, c := range told.Cameras {
		known[c.Device] = c
	}
	devices, err := a.Devices()
	if err != nil {
		return s, err
	}
	for _, d := range devices {
		c := cameraStatus{Camera: known[d.ID]}
		c.Device = d.ID
		_, revoked := d.Revoked()
		switch {
		case revoked:
			c.State = "revoked"
		case !told.Running || known[d.ID].Device == "":
			c.State = "unknown"
		case c.Silent:
			c.State = "silent"
		case c.Connected:
			c.State = "online"
		default:
			c.State = "away"
		}
		if c.Clips, c.Bytes, err = d.Usage(); err != nil {
			return s, err
		}
		s.Cameras = append(s.Cameras, c)
	}
	return s, nil
}

const minute = "2006-01-02 15:04:05Z"

func describeStatus(out io.Writer, s hubStatus) error {
	if s.Running {
		fmt.Fprintf(out, "running since %s on %s, process %d, %d connections\n", s.Started.UTC().Format(minute), s.Addr, s.PID, s.Connections)
	} else if s.Updated.IsZero() {
		fmt.Fprintln(out, "never ran")
	} else {
		fmt.Fprintf(out, "not running, last heard of %s\n", s.Updated.UTC().Format(minute))
	}
	if b := s.Broker; b != nil && b.Connected {
		fmt.Fprintf(out, "broker: %s, connected\n", b.Addr)
	} else if b != nil {
		fmt.Fprintf(out, "broker: %s, not connected: %s\n", b.Addr, cli.Printable(b.Trouble))
	}
	fmt.Fprintf(out, "disk: %s of %s free\n", size(s.DiskFree), size(s.DiskTotal))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CAMERA\tSTATE\tHEARD\tCLIPS\tBYTES")
	for _, c := range s.Cameras {
		heard := "never"
		if !c.Heard.IsZero() {
			heard = c.Heard.UTC().Truncate(time.Second).Format(minute)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", c.Device, c.State, heard, c.Clips, c.Bytes)
	}
	return w.Flush()
}

// size is a number of bytes for people.
func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
