// SPDX-License-Identifier: Apache-2.0

//go:build race

package spool

// defaultCuts is less under the race detector, which has nothing to find here and makes it slow.
const defaultCuts = 600
