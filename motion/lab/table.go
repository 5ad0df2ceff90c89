// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"
)

// Row is a tally as programs read it. What cannot be told is null.
type Row struct {
	Scene       string   `json:"scene,omitempty"`
	Labelled    bool     `json:"labelled"`
	Frames      int      `json:"frames"`
	Moving      int      `json:"moving"`
	Present     int      `json:"present"`
	Empty       int      `json:"empty"`
	Found       int      `json:"found"`
	False       int      `json:"false"`
	Recall      *float64 `json:"recall"`
	Precision   *float64 `json:"precision"`
	F1          *float64 `json:"f1"`
	FPR         *float64 `json:"false_positive_rate"`
	Events      int      `json:"events"`
	Hit         int      `json:"events_hit"`
	FalseEvents int      `json:"false_events"`
	FalseTime   float64  `json:"false_seconds"`
	MeanLate    *float64 `json:"latency_mean_seconds"`
	Latest      *float64 `json:"latency_worst_seconds"`
}

// Row returns the outcome for programs, rounded to four decimals.
func (o Outcome) Row() Row {
	share := func(x float64) *float64 {
		if math.IsNaN(x) {
			return nil
		}
		x = math.Round(x*1e4) / 1e4
		return &x
	}
	late := func(d time.Duration) *float64 {
		if o.Hit == 0 {
			return nil
		}
		return share(d.Seconds())
	}
	return Row{
		Scene: o.Scene, Labelled: o.Labelled, Frames: o.Frames, Moving: o.Moving, Present: o.Present, Empty: o.Empty,
		Found: o.Found, False: o.False, Recall: share(o.Recall()), Precision: share(o.Precision()), F1: share(o.F1()),
		FPR: share(o.FPR()), Events: o.Events, Hit: o.Hit, FalseEvents: o.FalseEvents, FalseTime: *share(o.FalseTime.Seconds()),
		MeanLate: late(o.MeanLate()), Latest: late(o.Latest),
	}
}

// WriteTable prints outcomes, one a line, and their total.
func WriteTable(w io.Writer, outcomes []Outcome) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "scene\tpresent\tempty\trecall\tprecision\tF1\tFPR\tevents\tfalse events\tfalse s\tmean late\tworst")
	for _, o := range append(outcomes[:len(outcomes):len(outcomes)], Total(outcomes)) {
		if !o.Labelled {
			fmt.Fprintf(columns, "%s\tunlabelled: motion in %d of %d frames\n", o.Scene, o.Moving, o.Frames)
			continue
		}
		fmt.Fprintf(columns, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%d/%d\t%d\t%.1f\t%s\t%s\n", o.Scene, o.Present, o.Empty, decimals(o.Recall()),
			decimals(o.Precision()), decimals(o.F1()), decimals(o.FPR()), o.Hit, o.Events, o.FalseEvents, o.FalseTime.Seconds(),
			lateness(o, o.MeanLate()), lateness(o, o.Latest))
	}
	return columns.Flush()
}

func decimals(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.3f", x)
}

func lateness(o Outcome, d time.Duration) string {
	if o.Hit == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}
