// SPDX-License-Identifier: Apache-2.0

// Package wire is what test and emulated board say to each other: a [Request] is a line of JSON, and so is its [Reply].
package wire

// Hello is the board's first line.
const Hello = "nightjar box"

// Operations.
const (
	Run    = "run"    // runs Args to the end: Output, Code
	Read   = "read"   // reads the file at Path: Output
	Write  = "write"  // writes Data to it
	Mkdir  = "mkdir"  // makes it a folder
	List   = "list"   // its entries with what they point to, parted by a tab: Names
	Start  = "start"  // keeps the agent running: its Args
	Signal = "signal" // sends it the signal Number
	Status = "status" // its process, 0 for none: Number; how long the kernel runs in ms: Uptime
	Reboot = "reboot"
)

// Request is an order.
type Request struct {
	Op     string   `json:"op"`
	Args   []string `json:"args,omitempty"`
	Path   string   `json:"path,omitempty"`
	Data   []byte   `json:"data,omitempty"`
	Number int      `json:"number,omitempty"`
}

// Reply is what came of it.
type Reply struct {
	Error  string   `json:"error,omitempty"`
	Output []byte   `json:"output,omitempty"`
	Code   int      `json:"code,omitempty"`
	Names  []string `json:"names,omitempty"`
	Number int64    `json:"number,omitempty"`
	Uptime int64    `json:"uptime,omitempty"`
}
