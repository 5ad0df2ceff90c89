// SPDX-License-Identifier: Apache-2.0

// Package guard holds the tests of the house's own rules: what may import what ([rules]), what a program
// may link ([programs]), and what every file looks like. Each rule is data with its reason beside it; to
// change one, change the reason first. Nothing here is linked into a program.
package guard
