// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// size returns how much a rig does: little under `make faults`, much under `make faults-long`.
func size(ci, long int) int {
	if os.Getenv("NIGHTJAR_FAULTS") == "long" {
		return long
	}
	return ci
}

// A row is a line of the table:
//
//	fault: NAME | FIGURE | GOAL | ok, short or not run
//
// It is printed when its test ends, whatever ended it, and is ok only when a figure was measured and nothing failed.
type row struct {
	t                  *testing.T
	name, figure, goal string
	cannot             string // why the rig cannot run here
}

func newRow(t *testing.T, name, goal string) *row {
	t.Helper()
	r := &row{t: t, name: name, goal: goal}
	t.Cleanup(func() { emit(r.line()) })
	return r
}

// measured sets the figure; what it is short by is said with t.Errorf.
func (r *row) measured(format string, args ...any) { r.figure = fmt.Sprintf(format, args...) }

// notRun ends the test: the environment lacks what the rig needs. The row does not pass.
func (r *row) notRun(format string, args ...any) {
	r.t.Helper()
	r.cannot = fmt.Sprintf(format, args...)
	r.t.Fatalf("%s: not run: %s", r.name, r.cannot)
}

func (r *row) line() string {
	figure, verdict := r.figure, "ok"
	switch {
	case r.cannot != "":
		figure, verdict = r.cannot, "not run"
	case figure == "":
		figure, verdict = "no figure", "short"
	case r.t.Failed():
		verdict = "short"
	}
	plain := strings.NewReplacer("|", "/", "\n", " ")
	return fmt.Sprintf("fault: %s | %s | %s | %s\n", plain.Replace(r.name), plain.Replace(figure), plain.Replace(r.goal), verdict)
}

var printing sync.Mutex

// emit writes past the test's log, which go test holds back and indents.
func emit(line string) {
	printing.Lock()
	defer printing.Unlock()
	os.Stdout.WriteString(line)
}
