// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

// The scripts in testdata run the real main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nightjar": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // programs with the race detector sleep a second at their end
			return nil
		},
	})
}

func TestTable(t *testing.T) {
	if err := cli.Check(program()); err != nil {
		t.Error(err)
	}
}
