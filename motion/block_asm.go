// SPDX-License-Identifier: Apache-2.0

//go:build (amd64 || arm64) && !purego

package motion

// Every amd64 and every arm64 has what these take, so nothing asks the processor.

//go:noescape
func sumsBlock(p, q []byte, ps, qs int) (sp, sq int)

//go:noescape
func sadBlock(p, q []byte, ps, qs int) int

//go:noescape
func residueBlock(p, bg []byte, ps, bs int, gain, weak, strong int) (hits, near int)
