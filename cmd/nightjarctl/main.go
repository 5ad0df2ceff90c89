// SPDX-License-Identifier: Apache-2.0

// Nightjarctl is the owner's tool: it makes the key that opens clips, lists, opens and verifies what a hub has
// stored, and runs the motion detector over films. program is the table of its commands; clips.go is what those
// on clips share, lab.go what those of the laboratory do.
package main

import (
	"os"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(program(), os.Args[1:])) }

func program() cli.Command {
	return cli.Command{
		Name:  "nightjarctl",
		Usage: "nightjarctl COMMAND",
		Short: "Owner's tool for Nightjar cameras",
		Long: `Makes the owner's key, and lists, opens and verifies the clips in a hub's folder. Every clip is a standard
age file, so "age -d -i owner.key FILE" opens it as well. "lab" runs the camera's motion detector over films.`,
		Sub: []cli.Command{keygenCommand(), keysCommand(), clipsCommand(), commandCommand(), labCommand(), bugreportCommand(), cli.VersionCommand("nightjarctl")},
	}
}
