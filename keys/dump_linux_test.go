// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/keys"
)

// The process under test is another one: what NoDumps does cannot be undone.
func TestNoDumps(t *testing.T) {
	const ask = "NIGHTJAR_TEST_DUMPS"
	switch os.Getenv(ask) {
	case "off":
		if err := keys.NoDumps(); err != nil {
			t.Fatal(err)
		}
		fallthrough
	case "mutant":
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
			t.Fatal(err)
		}
		dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		fmt.Printf("core limit %d of %d, dumpable %d, %v\n", limit.Cur, limit.Max, dumpable, err)
		return
	}
	for mode, want := range map[string]bool{"off": true, "mutant": false} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoDumps$")
		cmd.Env = append(os.Environ(), ask+"="+mode)
		out, err := cmd.CombinedOutput()
		if errors.Is(err, unix.ENOEXEC) {
			t.Skip("this machine cannot start the test again: it runs it in an emulator that the kernel does not know")
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", mode, err, out)
		}
		if got := strings.Contains(string(out), "core limit 0 of 0, dumpable 0, <nil>"); got != want {
			t.Errorf("%s: %s", mode, out)
		}
	}
}
