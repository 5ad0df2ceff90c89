// SPDX-License-Identifier: Apache-2.0

// Package doctor runs named checks and shows what they found. Make a list of [Check] values, [Examine] it, and show the
// [Report] with [Report.Print] or as JSON. A check that fails says what to do.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// Verdict is what a check came to.
type Verdict string

const (
	OK   Verdict = "ok"
	Warn Verdict = "warn" // works, but look at it
	Fail Verdict = "fail"
	Skip Verdict = "skip" // could not be tried, because of another check that failed
)

// Check is one question. Run may be called from any goroutine and must return when ctx ends.
type Check struct {
	Name string // in kebab case, stable
	Run  func(ctx context.Context) Finding
}

// Finding is the answer. A warning or failure has a Remedy.
type Finding struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"` // what was seen
	Remedy  string  `json:"remedy,omitempty"`
}

// Good, Bad, Doubtful and Skipped make findings; text and remedy are without a period.
func Good(format string, args ...any) Finding {
	return Finding{Verdict: OK, Text: fmt.Sprintf(format, args...)}
}

// Bad is a failure.
func Bad(remedy, format string, args ...any) Finding {
	return Finding{Verdict: Fail, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Doubtful is a warning.
func Doubtful(remedy, format string, args ...any) Finding {
	return Finding{Verdict: Warn, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Skipped says why a check was not tried.
func Skipped(format string, args ...any) Finding {
	return Finding{Verdict: Skip, Text: fmt.Sprintf(format, args...)}
}

// Report is what all checks found, in their order.
type Report []Finding

// Examine runs the checks side by side, each for at most limit. One that does not return in time, or panics, has failed.
func Examine(ctx context.Context, limit time.Duration, checks []Check) Report {
	report := make(Report, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { report[i] = examine(ctx, limit, c) })
	}
	wg.Wait()
	return report
}

func examine(ctx context.Context, limit time.Duration, c Check) Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan Finding, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- Bad("report this, please", "the check itself failed: %v", p)
			}
		}()
		done <- c.Run(ctx)
	}()
	var f Finding
	select {
	case f = <-done:
	case <-ctx.Done():
		f = Bad("try again; a disk or a network that hangs does this", "no answer within %v", limit)
	}
	f.Name = c.Name
	return f
}

// Failed returns an error that counts the failures, nil without one.
func (r Report) Failed() error {
	var names []string
	for _, f := range r {
		if f.Verdict == Fail {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return errors.New("not well: " + strings.Join(names, ", "))
}

// Print writes a line for each finding, and its remedy below it.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Verdict, f.Name, cli.Printable(f.Text))
		if f.Remedy != "" {
			fmt.Fprintf(t, "\t\t  -> %s\n", cli.Printable(f.Remedy))
		}
	}
	return t.Flush()
}
