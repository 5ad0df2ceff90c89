// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/chronicle"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// clip is a row of the answer.
type clip struct {
	Device  string    `json:"device"`
	ID      string    `json:"id"`
	Seq     uint64    `json:"seq"`
	State   string    `json:"state"` // stored; removed: by the hub, with a tombstone; absent: the camera gave it up, or it is missing
	Start   time.Time `json:"start"`
	Stored  time.Time `json:"stored"` // when the hub stored it
	Bytes   int64     `json:"bytes"`  // of the sealed clip and its details
	Removed string    `json:"removed,omitempty"`

	from  *archive.Device
	entry archive.Entry
}

func clipsCommand() cli.Command {
	return cli.Command{
		Name:  "clips",
		Usage: "nightjar-hub clips COMMAND",
		Short: "List clips as the hub sees them, or remove some",
		Sub:   []cli.Command{clipsListCommand(), clipsEventsCommand(), clipsRemoveCommand()},
	}
}

func clipsListCommand() cli.Command {
	var dir, device string
	var asJSON bool
	return cli.Command{
		Name:  "ls",
		Usage: "nightjar-hub clips ls --dir DIR [--device ID] [--json]",
		Short: "List clips",
		Long: `Lists all clips by camera and number, those that are no longer there too. STATE: stored; removed, by the
retention or by hand; absent, which "nightjarctl clips verify" explains. The hub may be running.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.StringVar(&device, "device", "", "only the clips of this camera, by its `ID`")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("clips ls needs --dir")
			}
			rows, err := listClips(dir, device)
			if rows == nil {
				return err
			}
			if asJSON {
				return errors.Join(err, env.JSON(rows))
			}
			w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CAMERA\tCLIP\tSTART\tSTORED\tBYTES\tSTATE")
			for _, c := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", c.Device, c.ID[:8], c.Start.UTC().Format(minute), c.Stored.UTC().Format(minute),
					c.Bytes, strings.TrimSpace(c.State+" "+c.Removed))
			}
			return errors.Join(err, w.Flush())
		},
	}
}

func clipsEventsCommand() cli.Command {
	var dir, device string
	var asJSON bool
	return cli.Command{
		Name:  "events",
		Usage: "nightjar-hub clips events --dir DIR [--device ID] [--json]",
		Short: "List what cameras signed of themselves: privacy, restarts, losses",
		Long: `Lists the events and the declared losses of all cameras, or of one, in the order they were signed. Times are UTC; CLOCK says
what the camera knew of the time when it signed. The hub may be running.`,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			f.StringVar(&device, "device", "", "only the events of this camera, by its `ID`")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			if dir == "" {
				return cli.Usagef("clips events needs --dir")
			}
			devices, err := chosenDevices(dir, device)
			if err != nil {
				return err
			}
			rows, err := chronicle.List(devices)
			if asJSON {
				return errors.Join(err, env.JSON(rows))
			}
			return errors.Join(err, chronicle.Print(env.Stdout, rows))
		},
	}
}

// chosenDevices returns all cameras, or one.
func chosenDevices(dir, device string) ([]*archive.Device, error) {
	a, err := archive.Open(dir)
	if err != nil {
		return nil, err
	}
	devices, err := a.Devices()
	if device != "" {
		var d *archive.Device
		d, err = a.Device(device)
		devices = []*archive.Device{d}
	}
	if errors.Is(err, archive.ErrNoDevice) {
		err = cli.Hint(err, "`nightjar-hub devices` lists the cameras")
	}
	return devices, err
}

// listClips returns the clips whose records verify, and what does not. No rows: nothing could be read.
func listClips(dir, device string) ([]clip, error) {
	devices, err := chosenDevices(dir, device)
	if err != nil {
		return nil, err
	}
	rows := []clip{} // an empty list is [] in JSON, not null
	var errs []error
	for _, d := range devices {
		for e, err := range d.Records() {
			if err != nil {
				errs = append(errs, fmt.Errorf("camera %s: %w", d.ID, err))
			} else if e.Record.Clip != nil {
				rows = append(rows, newClip(d, e))
			}
		}
	}
	return rows, errors.Join(errs...)
}

func newClip(d *archive.Device, e archive.Entry) clip {
	c := e.Record.Clip
	row := clip{Device: d.ID, ID: c.ID, Seq: e.Seq, State: "stored", Start: c.Start, Stored: e.Stored, Bytes: c.Body.Size + c.Details.Size,
		from: d, entry: e}
	if _, err := os.Stat(d.ClipPath(c.ID)); !errors.Is(err, fs.ErrNotExist) {
		return row
	}
	row.State = "absent"
	if t, err := d.Tombstone(e); err == nil {
		row.State, row.Removed = "removed", cli.Printable(t.Reason)
	}
	return row
}

func clipsRemoveCommand() cli.Command {
	var dir string
	var asJSON bool
	return cli.Command{
		Name:  "rm",
		Usage: "nightjar-hub clips rm --dir DIR [--json] CLIP...",
		Short: "Remove clips for good",
		Long: `Removes sealed clips and their details from the hub. A clip is named by the first four or more digits of its
id. Its signed record stays, beside a signed note that the owner removed it: nobody can take it for a clip
that was lost. Backups are not touched. The hub may be running.`,
		Args: -1,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, ids []string) error {
			if dir == "" || len(ids) == 0 {
				return cli.Usagef("clips rm needs --dir and clips")
			}
			rows, err := listClips(dir, "")
			if rows == nil {
				return err
			}
			chosen, err := cli.ChooseClips(rows, func(c clip) string { return c.ID }, ids, "nightjar-hub clips ls")
			if err != nil {
				return err
			}
			sexton, err := hub.Sexton(dir)
			if err != nil {
				return err
			}
			removed := []string{}
			for _, c := range chosen {
				if err = sexton.Remove(c.from, c.entry, record.ByOwner, time.Now()); err != nil {
					break
				}
				removed = append(removed, c.ID)
			}
			if asJSON {
				return errors.Join(err, env.JSON(removed))
			}
			for _, id := range removed {
				fmt.Fprintln(env.Stdout, id)
			}
			return err
		},
	}
}
