// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// verified is a camera in the answer of verify.
type verified struct {
	archive.Report
	Identity string `json:"identity"` // fingerprint of the key that all signatures were checked with
	OK       bool   `json:"ok"`
}

func verifyCommand() cli.Command {
	var from source
	var asJSON bool
	return cli.Command{
		Name:  "verify",
		Usage: "nightjarctl clips verify --store DIR [--device ID] [--json]",
		Short: "Check signatures, chain and files, and name every gap",
		Long: `Reads everything the hub has stored and checks it against what the cameras signed: each record's signature,
its place in the chain, the size and SHA-256 of each sealed file. Every gap and every wrong file is named,
and the exit code is 1. Clips that are still on a camera are no gap. Losses that a camera itself declared are
named too, and so are clips that the hub removed and signed for; they are no fault of the store. Neither are the
events that a camera signs in the same chain, such as privacy mode or a restart; they are counted.

No key is needed. All of it rests on the camera's identity: compare the fingerprint with the one that
"nightjar enroll" printed. Records missing at the end of the chain cannot be seen from here.`,
		Flags: func(f *flag.FlagSet) {
			from.flags(f)
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			devices, err := from.devices()
			if err != nil {
				return err
			}
			reports := []verified{}
			problems := 0
			for _, d := range devices {
				report, err := d.Verify(ctx)
				if err != nil {
					return fmt.Errorf("verify camera %s: %w", d.ID, err)
				}
				problems += len(report.Problems)
				reports = append(reports, verified{report, keys.Fingerprint(d.Identity), report.OK()})
			}
			if asJSON {
				err = env.JSON(reports)
			} else {
				err = describe(env.Stdout, reports)
			}
			if err == nil && problems > 0 {
				err = fmt.Errorf("verify: problems found: %d", problems)
			}
			return err
		},
	}
}

func describe(w io.Writer, reports []verified) error {
	for _, r := range reports {
		fmt.Fprintf(w, "camera %s, identity %s\n", r.Device, r.Identity)
		for _, l := range r.Losses {
			fmt.Fprintf(w, "  declared by record %d: %s", l.Seq, cli.Printable(l.Loss.Reason))
			if l.Loss.Clip != "" {
				fmt.Fprintf(w, ", clip %s", l.Loss.Clip)
			}
			if l.Loss.Frames > 0 {
				fmt.Fprintf(w, ", %d frames", l.Loss.Frames)
			}
			fmt.Fprintf(w, ", %s to %s\n", l.Loss.From.UTC().Format("2006-01-02 15:04:05Z"), l.Loss.To.UTC().Format("2006-01-02 15:04:05Z"))
		}
		if n := len(r.Events); n > 0 {
			fmt.Fprintf(w, "  %d events of the camera itself, which `nightjarctl clips events` shows\n", n)
		}
		for _, g := range r.Removals {
			fmt.Fprintf(w, "  removed by the hub: clip %s of record %d, %s, %s\n", g.Clip, g.Seq, g.Removed.UTC().Format("2006-01-02 15:04:05Z"), cli.Printable(g.Reason))
		}
		for _, p := range r.Problems {
			fmt.Fprintf(w, "  %s\n", cli.Printable(p.String()))
		}
		state := "all sound"
		if !r.OK {
			state = fmt.Sprintf("%d wrong", len(r.Problems))
		}
		fmt.Fprintf(w, "  %d records, %d clips, %d bytes: %s\n", r.Records, r.Clips, r.Bytes, state)
		if r.Arriving > 0 {
			fmt.Fprintf(w, "  %d more clips are still on the camera: their records are here, and not counted\n", r.Arriving)
		}
	}
	return nil
}
