// SPDX-License-Identifier: Apache-2.0

// Nightjar is the agent on the camera board: it watches, seals, signs, spools and sends.
// Start with the command table in main.go; run.go builds the tasks, sink.go is where clips become sealed entries.
package main

import (
	"os"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(program(), os.Args[1:])) }

func program() cli.Command {
	return cli.Command{
		Name:  "nightjar",
		Usage: "nightjar COMMAND",
		Short: "Agent of a private security camera",
		Sub: []cli.Command{
			runCommand(), enrollCommand(), renewCommand(), hubCommand(), configCommand(), statusCommand(), doctorCommand(),
			bugreportCommand(), cli.VersionCommand("nightjar"),
		},
	}
}
