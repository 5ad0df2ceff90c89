// SPDX-License-Identifier: Apache-2.0

//go:build !purego

package motion

const (
	vector = "neon" // what the assembly uses; every arm64 has it
	group  = 64     // samples it takes at a time
)

// useVector is a variable for the tests, which run every implementation.
var useVector = true
