// SPDX-License-Identifier: Apache-2.0

// Package row prints the rows of the table of `make ota-faults`, for the tests of this room: [Print].
package row

import (
	"fmt"
	"os"
	"testing"
)

// Print prints a row, past the test's log, which go test holds back and indents. It fails the test when the row is short; a test that
// has failed has no row that is ok.
func Print(t testing.TB, name, figure, goal string, ok bool) {
	t.Helper()
	verdict := "ok"
	if !ok || t.Failed() {
		verdict = "short"
		t.Errorf("%s: %s, to reach: %s", name, figure, goal)
	}
	fmt.Fprintf(os.Stdout, "fault: %s | %s | %s | %s\n", name, figure, goal, verdict)
}
