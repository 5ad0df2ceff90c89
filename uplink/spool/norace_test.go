// SPDX-License-Identifier: Apache-2.0

//go:build !race

package spool

const defaultCuts = 7000
