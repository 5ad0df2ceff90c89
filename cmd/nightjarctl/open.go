// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// opened is a clip in the answer of open.
type opened struct {
	Device string `json:"device"`
	ID     string `json:"id"`
	File   string `json:"file,omitempty"`
	Sheet  string `json:"sheet,omitempty"`
}

func openCommand() cli.Command {
	var from source
	var key ownerKey
	var dir string
	var all, sheet, asJSON bool
	return cli.Command{
		Name:  "open",
		Usage: "nightjarctl clips open --store DIR -i FILE [--passphrase-file FILE] -o DIR [--sheet] [--device ID] [--json] CLIP...|--all",
		Short: "Verify and open clips into MP4 files",
		Long: `Opens clips into the folder given with -o, named after camera, start and clip. A clip is named by the first
four or more digits of its id. A file appears only when the camera's signature on the record and the size
and SHA-256 of the sealed clip are right; nothing is left of one that is not. With --sheet six pictures of
each clip are written beside it as a JPEG.

Clips that are still on the camera, those that it had to give up for want of room, and declared, and those
that the hub removed are told and passed over by --all; with --sheet their pictures are written if they are
here.`,
		Args: -1,
		Flags: func(f *flag.FlagSet) {
			from.flags(f)
			key.flags(f)
			f.StringVar(&dir, "o", "", "write into folder `DIR`, is made")
			f.BoolVar(&all, "all", false, "open all clips")
			f.BoolVar(&sheet, "sheet", false, "write the contact sheet as well")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, ids []string) error {
			if key.file == "" || dir == "" {
				return cli.Usagef("open needs -i and -o")
			}
			if all == (len(ids) > 0) {
				return cli.Usagef("give either ids of clips or --all")
			}
			owner, err := key.identities()
			if err != nil {
				return err
			}
			clips, unread := from.clips()
			if clips == nil && unread != nil {
				return unread
			}
			if !all {
				// Records that nobody asked for may be wrong.
				if clips, err = cli.ChooseClips(clips, func(c clip) string { return c.ID }, ids, "nightjarctl clips ls"); err != nil {
					return errors.Join(err, unread)
				}
				unread = nil
			}
			o := opener{dir: dir, sheet: sheet, owner: owner, talk: env.Stderr}
			done, err := o.openAll(clips, all)
			return errors.Join(unread, err, answer(env, done, asJSON))
		},
	}
}

func answer(env *cli.Env, done []opened, asJSON bool) error {
	if asJSON {
		return env.JSON(done)
	}
	for _, d := range done {
		if d.File != "" {
			fmt.Fprintln(env.Stdout, d.File)
		}
		if d.Sheet != "" {
			fmt.Fprintln(env.Stdout, d.Sheet)
		}
	}
	return nil
}

// opener opens clips into a folder.
type opener struct {
	dir   string
	sheet bool
	owner []age.Identity
	talk  io.Writer
}

// openAll goes on after a clip that cannot be opened. With pass, evicted and removed clips are no error.
func (o opener) openAll(clips []clip, pass bool) ([]opened, error) {
	done := []opened{}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return done, err
	}
	var errs []error
	for _, c := range clips {
		if err := c.absent(); err != nil {
			if pass {
				fmt.Fprintln(o.talk, err)
			} else {
				errs = append(errs, err)
			}
			if !o.sheet || !c.hasDetails() {
				continue
			}
		}
		d, err := o.open(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("open clip %s: %w", c.ID, err))
			continue
		}
		done = append(done, d)
	}
	return done, errors.Join(errs...)
}

// absent says why the clip itself is not here, when that is as it should be.
func (c clip) absent() error {
	switch c.state() {
	case "camera":
		switch c.arriving.Hold {
		case "":
			return fmt.Errorf("clip %s is still on the camera: %d of its %d bytes are here, the others are to come", c.ID, c.arriving.Received, c.Body.Size)
		case "never":
			return fmt.Errorf("clip %s stays on the camera: its upload policy is never", c.ID)
		}
		return fmt.Errorf("clip %s is still on the camera: its upload policy is %s", c.ID, cli.Printable(c.arriving.Hold))
	case "evicted":
		return fmt.Errorf("clip %s is gone: the camera declared it evicted in record %d", c.ID, c.evicted)
	case "removed":
		return fmt.Errorf("clip %s is gone: the hub removed it and signed that it did", c.ID)
	}
	return nil
}

func (o opener) open(c clip) (opened, error) {
	name := filepath.Join(o.dir, fmt.Sprintf("%s-%s-%s", c.device.ID, c.Start.UTC().Format("20060102T150405Z"), c.ID[:8]))
	d := opened{Device: c.device.ID, ID: c.ID}
	if c.absent() == nil {
		d.File = name + ".mp4"
		err := replace(d.File, func(w io.Writer) error {
			return unseal(w, c.device.ClipPath(c.ID), c.Body, o.owner)
		})
		if err != nil || !o.sheet {
			return d, err
		}
	}
	details, err := c.details(o.owner)
	if err != nil || len(details.ContactSheet) == 0 {
		return d, err
	}
	d.Sheet = name + ".jpg"
	return d, replace(d.Sheet, func(w io.Writer) error {
		_, err := w.Write(details.ContactSheet)
		return err
	})
}
