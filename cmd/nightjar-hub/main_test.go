// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
)

// The scripts in testdata run the real main; enrol is the camera's side of an enrolment,
// fill what a camera has sent.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"nightjar-hub": main,
		"enrol":        enrol,
		"fill":         fill,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // programs with the race detector sleep a second at their end
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"await": await},
	})
}

func TestTable(t *testing.T) {
	if err := cli.Check(program()); err != nil {
		t.Error(err)
	}
}

// enrol ADDR TOKEN enrols as a new camera and prints its name and fingerprint.
func enrol() {
	identity, err := keys.NewIdentity()
	exitOn(err)
	token, err := enroll.ParseToken(os.Args[2])
	exitOn(err)
	credential, err := enroll.Enroll(context.Background(), os.Args[1], token, identity)
	exitOn(err)
	fmt.Println(credential.Device, identity.Fingerprint())
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// await FILE REGEXP VARIABLE waits until a line of FILE matches and sets VARIABLE to the first group.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: await FILE REGEXP VARIABLE")
	}
	pattern := regexp.MustCompile(args[1])
	for range 1000 {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if m := pattern.FindSubmatch(text); err == nil && m != nil {
			ts.Setenv(args[2], string(m[1]))
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not show %s:\n%s", args[0], args[1], ts.ReadFile(args[0]))
}
