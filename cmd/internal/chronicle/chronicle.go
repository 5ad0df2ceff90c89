// SPDX-License-Identifier: Apache-2.0

// Package chronicle shows what cameras signed of themselves besides clips: events such as privacy mode or a restart, and the
// losses that they declared. [List] reads them from a hub's folder, [Print] writes them for people.
package chronicle

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// Row is an event or a declared loss.
type Row struct {
	Device  string    `json:"device"`
	Seq     uint64    `json:"seq"`
	Kind    string    `json:"kind"` // event or loss
	Code    string    `json:"code"` // of the event, or the reason of the loss
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Quality string    `json:"quality"`      // of the camera's clock when it signed
	By      string    `json:"by,omitempty"` // who did it
	Count   int       `json:"count"`        // how often, of an event; frames that are missing, of a loss, 0 if unknown
	Clip    string    `json:"clip,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// List returns the rows of the devices in the order in which they were signed, not nil. Records that do not verify are left out
// and named in the error.
func List(devices []*archive.Device) ([]Row, error) {
	rows := []Row{} // an empty list is [] in JSON, not null
	var errs []error
	for _, d := range devices {
		for e, err := range d.Records() {
			if err != nil {
				errs = append(errs, fmt.Errorf("camera %s: %w", d.ID, err))
				continue
			}
			r := Row{Device: d.ID, Seq: e.Seq, Kind: string(e.Record.Kind), Quality: e.Record.Quality}
			if ev := e.Record.Event; ev != nil {
				r.Code, r.From, r.To, r.By, r.Count, r.Detail = ev.Code, ev.From, ev.To, ev.By, ev.Count, ev.Detail
				rows = append(rows, r)
			}
			if l := e.Record.Loss; l != nil {
				r.Code, r.From, r.To, r.Count, r.Clip = l.Reason, l.From, l.To, l.Frames, l.Clip
				rows = append(rows, r)
			}
		}
	}
	return rows, errors.Join(errs...)
}

// Print writes a table of the rows.
func Print(out io.Writer, rows []Row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CAMERA\tRECORD\tKIND\tCODE\tFROM\tLASTED\tCLOCK\tBY\tWHAT")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%v\t%s\t%s\t%s\n", r.Device, r.Seq, r.Kind, cli.Printable(r.Code), r.From.UTC().Format("2006-01-02 15:04:05"),
			r.To.Sub(r.From).Round(time.Second/10), cli.Printable(r.Quality), cmp.Or(cli.Printable(r.By), "-"), cli.Printable(r.what()))
	}
	return w.Flush()
}

// what says in words what happened.
func (r Row) what() string {
	text := cmp.Or(r.Detail, "-")
	if r.Kind == string(record.KindEvent) {
		if text = record.Explain(r.Code); text == "" {
			text = "unknown to this program: a newer one can say"
		}
		if r.Detail != "" {
			text += ": " + r.Detail
		}
		if r.Count > 1 {
			text += fmt.Sprintf(" (%d times)", r.Count)
		}
		return text
	}
	if r.Clip != "" {
		text = "clip " + r.Clip
	}
	if r.Count > 0 {
		text += fmt.Sprintf(", %d frames", r.Count)
	}
	return text
}
