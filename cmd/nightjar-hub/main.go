// SPDX-License-Identifier: Apache-2.0

// Nightjar-hub is the sync hub at home: it enrols cameras and stores what they send, and can open none of
// it. Package uplink/hub does the work; program here is the table of its commands.
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
		Name:  "nightjar-hub",
		Usage: "nightjar-hub COMMAND",
		Short: "Sync hub of Nightjar cameras",
		Long: `Stores the sealed clips of cameras and gives them signed receipts. It has no key that opens a clip.
Begin with init, then run; make a token for each camera, and look what it sent with nightjarctl.`,
		Sub: []cli.Command{
			initCommand(), runCommand(), statusCommand(), doctorCommand(), tokenCommand(), devicesCommand(), revokeCommand(), clipsCommand(),
			commandCommand(), caCommand(), brokerCommand(), backupCommand(), restoreCommand(), cli.VersionCommand("nightjar-hub"),
		},
	}
}
