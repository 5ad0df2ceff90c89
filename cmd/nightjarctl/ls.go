// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

// row is a clip in the answer of ls. The last four come from the sealed details and need the owner's key.
type row struct {
	Device string `json:"device"`
	ID     string `json:"id"`
	Seq    uint64 `json:"seq"`
	// stored, camera (its body is still there), evicted (the camera declared it lost), removed (by the hub, with a tombstone), or missing
	State      string    `json:"state"`
	Upload     string    `json:"upload,omitempty"` // of a clip on the camera, when it comes: now, idle, request or never
	Start      time.Time `json:"start"`
	Quality    string    `json:"quality"` // of the start: synced, free or unset
	DurationUS int64     `json:"duration_us"`
	PreRollUS  int64     `json:"pre_roll_us"`
	Frames     int       `json:"frames"`
	Dropped    int       `json:"dropped"`
	Bytes      int64     `json:"bytes"` // of the sealed clip
	Continues  string    `json:"continues,omitempty"`

	PTSUS   *int64   `json:"pts_us,omitempty"`
	Trigger string   `json:"trigger,omitempty"`
	Peak    float64  `json:"peak,omitempty"`
	Zones   []string `json:"zones,omitempty"`
}

func lsCommand() cli.Command {
	var from source
	var key ownerKey
	var asJSON bool
	return cli.Command{
		Name:  "ls",
		Usage: "nightjarctl clips ls --store DIR [-i FILE] [--device ID] [--json]",
		Short: "List clips",
		Long: `Lists the clips of all cameras, or of one, in the order they were recorded. Anyone with the hub's folder can
see when a clip starts, how long and how large it is. What triggered it and where is sealed: give the
owner's key with -i. Times are UTC; CLOCK says what the camera knew of the time: synced, free (a running
clock that nothing confirmed) or unset.

STATE is stored; on camera, when record and details are here and the clip is still to come, with the
camera's upload policy if that holds it back (idle, request, never); evicted, when the camera declared it
lost for want of room; or missing.`,
		Flags: func(f *flag.FlagSet) {
			from.flags(f)
			key.flags(f)
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			rows, err := list(from, key)
			if rows == nil && err != nil {
				return err
			}
			// What can be relied on is shown; the exit code says that it is not all.
			if asJSON {
				return errors.Join(err, env.JSON(rows))
			}
			return errors.Join(err, table(env.Stdout, rows, key.file != ""))
		},
	}
}

// list returns rows, not nil, and what could not be read; or no rows and why.
func list(from source, key ownerKey) ([]row, error) {
	var owner []age.Identity
	if key.file != "" {
		var err error
		if owner, err = key.identities(); err != nil {
			return nil, err
		}
	}
	clips, err := from.clips()
	if clips == nil && err != nil {
		return nil, err
	}
	errs := []error{err}
	rows := make([]row, 0, len(clips))
	for _, c := range clips {
		r := row{
			Device: c.device.ID, ID: c.ID, Seq: c.seq, State: c.state(), Start: c.Start, Quality: c.Quality,
			DurationUS: c.DurationUS, PreRollUS: c.PreRollUS, Frames: c.Frames, Dropped: c.Dropped,
			Bytes: c.Body.Size, Continues: c.Continues,
		}
		if c.arriving != nil {
			r.Upload = cmp.Or(c.arriving.Hold, "now")
		}
		if owner != nil && c.hasDetails() {
			d, err := c.details(owner)
			if err != nil {
				errs = append(errs, fmt.Errorf("clip %s: %w", c.ID, err))
			} else {
				r.PTSUS, r.Trigger, r.Peak, r.Zones = &d.PTSUS, d.Trigger, d.Peak, d.Zones
			}
		}
		rows = append(rows, r)
	}
	return rows, errors.Join(errs...)
}

// hasDetails tells whether the sealed details are to be had: of an evicted clip they may be.
func (c clip) hasDetails() bool {
	if c.state() != "evicted" {
		return c.state() != "missing"
	}
	_, err := os.Stat(c.detailsPath())
	return err == nil
}

func (c clip) state() string {
	if c.arriving != nil {
		return "camera"
	}
	_, err := os.Stat(c.device.ClipPath(c.ID))
	switch {
	case err == nil:
		return "stored"
	case c.evicted > 0:
		return "evicted"
	case c.removed:
		return "removed"
	}
	return "missing"
}

// details opens the clip's sealed details.
func (c clip) details(owner []age.Identity) (seal.Details, error) {
	// The record is signed, but its size is not ours to trust with memory.
	if c.Details.Size > 2*seal.MaxDetails {
		return seal.Details{}, fmt.Errorf("details of %d bytes: too large", c.Details.Size)
	}
	var plain bytes.Buffer
	err := unseal(&plain, c.detailsPath(), c.Details, owner)
	if c.arriving != nil && errors.Is(err, fs.ErrNotExist) { // the hub has stored it since we looked
		err = unseal(&plain, c.device.DetailsPath(c.ID), c.Details, owner)
	}
	if err != nil {
		return seal.Details{}, err
	}
	d, err := seal.ParseDetails(&plain)
	if err == nil && d.Clip != c.ID {
		err = fmt.Errorf("%w: details of clip %s", errAltered, d.Clip)
	}
	return d, err
}

// where is the state in words.
func (r row) where() string {
	switch r.Upload {
	case "":
		return r.State
	case "now":
		return "on camera"
	}
	return "on camera: " + cli.Printable(r.Upload)
}

func table(out io.Writer, rows []row, opened bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "CAMERA\tCLIP\tSTART\tCLOCK\tLENGTH\tFRAMES\tBYTES\tSTATE")
	if opened {
		fmt.Fprint(w, "\tTRIGGER")
	}
	fmt.Fprintln(w)
	for _, r := range rows {
		length := time.Duration(r.DurationUS) * time.Microsecond
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1fs\t%d\t%d\t%s", r.Device, r.ID[:8], r.Start.UTC().Format("2006-01-02 15:04:05"),
			cli.Printable(r.Quality), length.Seconds(), r.Frames, r.Bytes, r.where())
		if opened {
			fmt.Fprintf(w, "\t%s", cli.Printable(r.Trigger))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
