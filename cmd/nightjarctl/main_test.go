// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// The scripts in testdata run the real main; makestore makes a hub's folder with known
// clips in it, flip changes one bit of a file.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"nightjarctl": main,
		"entomb":      entomb,
		"makestore":   makestore,
		"flip":        flip,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			footage, err := filepath.Abs("../../capture/footage")
			env.Setenv("FOOTAGE", footage)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // programs with the race detector sleep a second at their end
			return err
		},
	})
}

func TestTable(t *testing.T) {
	if err := cli.Check(program()); err != nil {
		t.Error(err)
	}
}

// flip FILE OFFSET
func flip() {
	b, err := os.ReadFile(os.Args[1])
	must(err)
	n, err := strconv.Atoi(os.Args[2])
	must(err)
	b[n] ^= 1
	must(os.WriteFile(os.Args[1], b, 0o600))
}
