// SPDX-License-Identifier: Apache-2.0

// Package faults holds the fault rigs: the programs as `make build` makes them, each a process of its own, under power cuts,
// SIGKILL, bad networks, hostile hubs and hostile cameras. Each rig prints rows of a table, a figure beside its goal; start with
// newRow and newSite. `make faults` runs them and judges the table; they need root, and nothing here is linked into a program.
//
// Under a plain `go test ./...` the rigs do not run: they take minutes, and every core. TestMain says so.
package faults
