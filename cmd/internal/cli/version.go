// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is the release, set by the linker: -ldflags "-X .../cmd/internal/cli.Version=v1.2.3". It has no
// initial value because the linker cannot replace one that a function returns.
var Version string

// Release is Version, or what the Go tool knows without it.
func Release() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// VersionCommand is the "version" command of a program.
func VersionCommand(program string) Command {
	var asJSON bool
	return Command{
		Name:  "version",
		Usage: program + " version [--json]",
		Short: "Print the version of this program",
		Flags: func(f *flag.FlagSet) { JSONFlag(f, &asJSON) },
		Run: func(_ context.Context, env *Env, _ []string) error {
			if asJSON {
				return env.JSON(struct {
					Program string `json:"program"`
					Version string `json:"version"`
					Go      string `json:"go"`
					OS      string `json:"os"`
					Arch    string `json:"arch"`
				}{program, Release(), runtime.Version(), runtime.GOOS, runtime.GOARCH})
			}
			_, err := fmt.Fprintf(env.Stdout, "%s %s (%s %s/%s)\n", program, Release(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// JSONFlag defines --json, which every command with an answer for programs has.
func JSONFlag(f *flag.FlagSet, p *bool) { f.BoolVar(p, "json", false, "print the answer as JSON") }
