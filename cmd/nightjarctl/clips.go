// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

func clipsCommand() cli.Command {
	return cli.Command{
		Name:  "clips",
		Usage: "nightjarctl clips COMMAND",
		Short: "List, open and verify the clips in a hub's folder",
		Sub:   []cli.Command{lsCommand(), eventsCommand(), openCommand(), verifyCommand()},
	}
}

// source is where clips come from: the flags that all commands on clips have.
type source struct {
	store  string
	device string
}

func (s *source) flags(f *flag.FlagSet) {
	f.StringVar(&s.store, "store", "", "folder `DIR` of the hub")
	f.StringVar(&s.device, "device", "", "only the clips of this camera, by its `ID`")
}

// devices returns the cameras that the flags choose.
func (s *source) devices() ([]*archive.Device, error) {
	if s.store == "" {
		return nil, cli.Usagef("--store is missing: the folder of the hub")
	}
	a, err := archive.Open(s.store)
	if err != nil {
		return nil, err
	}
	if s.device == "" {
		return a.Devices()
	}
	d, err := a.Device(s.device)
	if errors.Is(err, archive.ErrNoDevice) {
		err = cli.Hint(err, "`nightjar-hub devices` lists the cameras")
	}
	return []*archive.Device{d}, err
}

// A clip is one that a camera recorded and signed.
type clip struct {
	*record.Clip
	device  *archive.Device
	seq     uint64
	evicted uint64 // the record that declares its body lost, 0 for none
	removed bool   // the hub says, signed, that it removed it

	arriving *archive.Arriving // its body is on the camera; nil when the hub has taken it
}

// detailsPath is where its sealed details lie.
func (c clip) detailsPath() string {
	if c.arriving != nil {
		return c.arriving.DetailsPath
	}
	return c.device.DetailsPath(c.ID)
}

// clips returns the chosen cameras' clips in the order they were recorded. With an error it still returns
// all that can be relied on: records that do not verify are in the error.
func (s *source) clips() ([]clip, error) {
	devices, err := s.devices()
	if err != nil {
		return nil, err
	}
	var all []clip
	var errs []error
	for _, d := range devices {
		byID := map[string]int{}
		begin := len(all)
		arriving, err := d.Arriving() // looked at first: what is stored meanwhile is then seen as that
		if err != nil {
			errs = append(errs, err)
		}
		for e, err := range d.Records() {
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("camera %s: %w", d.ID, err))
			case e.Record.Clip != nil:
				byID[e.Record.Clip.ID] = len(all)
				all = append(all, clip{Clip: e.Record.Clip, device: d, seq: e.Seq, removed: d.Gone(e)})
			case e.Record.Loss != nil && e.Record.Loss.Reason == record.Evicted:
				if i, ok := byID[e.Record.Loss.Clip]; ok {
					all[i].evicted = e.Seq
				}
			}
		}
		for _, a := range arriving {
			if _, stored := byID[a.Record.Clip.ID]; !stored {
				all = append(all, clip{Clip: a.Record.Clip, device: d, seq: a.Seq, arriving: &a})
			}
		}
		slices.SortStableFunc(all[begin:], func(a, b clip) int { return cmp.Compare(a.seq, b.seq) })
	}
	if err := errors.Join(errs...); err != nil {
		return all, cli.Hint(err, "`nightjarctl clips verify` names everything that is wrong")
	}
	return all, nil
}
