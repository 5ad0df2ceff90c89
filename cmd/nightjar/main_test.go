// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub"
)

// The scripts in testdata run the real main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nightjar": main, "testhub": testHub})
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

// testHub DIR ADDR is a hub that runs until it is interrupted. It writes its address and a token for "porch" into DIR.
func testHub() {
	dir := os.Args[1]
	if err := hub.Init(dir, nil); err != nil && !errors.Is(err, hub.ErrInitialised) {
		exitOn(err)
	}
	token, err := hub.NewToken(dir, "porch", time.Hour)
	exitOn(err)
	h, err := hub.New(hub.Config{Dir: dir, Listen: os.Args[2]}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	exitOn(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		addr := h.Addr().String()
		exitOn(os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600))
		exitOn(os.WriteFile(filepath.Join(dir, "addr.new"), []byte(addr), 0o600))
		exitOn(os.Rename(filepath.Join(dir, "addr.new"), filepath.Join(dir, "addr")))
	}()
	exitOn(h.Run(ctx))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// await FILE [REGEXP] waits until FILE is there, and matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [REGEXP]")
	}
	pattern := regexp.MustCompile(strings.Join(args[1:], ""))
	for range 2000 {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not show %s:\n%s", args[0], pattern, ts.ReadFile(args[0]))
}

func TestTable(t *testing.T) {
	if err := cli.Check(program()); err != nil {
		t.Error(err)
	}
}
