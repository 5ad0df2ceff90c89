// SPDX-License-Identifier: Apache-2.0

// Nightjar is the agent on the camera board: it watches, seals, signs, spools and sends.
// Start with the command table in main.go; run.go builds the tasks, sink.go is where clips become sealed entries.
package main

import (
	"fmt"
	"os"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys"
)

func main() {
	if err := keys.NoDumps(); err != nil { // a kernel that cannot is no reason not to record
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(cli.Main(program(), os.Args[1:]))
}

func program() cli.Command {
	return cli.Command{
		Name:  "nightjar",
		Usage: "nightjar COMMAND",
		Short: "Agent of a private security camera",
		Sub: []cli.Command{
			runCommand(), enrollCommand(), renewCommand(), recipientsCommand(), ownerCommand(), hubCommand(), cameraCommand(), motionCommand(), configCommand(), statusCommand(), privacyCommand(), netCommand(), wifiCommand(), gpioCommand(), doctorCommand(),
			bugreportCommand(), resetCommand(), cli.VersionCommand("nightjar"),
		},
	}
}
