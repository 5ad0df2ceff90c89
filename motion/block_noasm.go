// SPDX-License-Identifier: Apache-2.0

//go:build (!amd64 && !arm64) || purego

package motion

func sumsBlock(p, q []byte, ps, qs int) (sp, sq int) { return sumsBlockGeneric(p, q, ps, qs) }

func sadBlock(p, q []byte, ps, qs int) int { return sadBlockGeneric(p, q, ps, qs) }

func residueBlock(p, bg []byte, ps, bs int, gain, weak, strong int) (hits, near int) {
	return residueBlockGeneric(p, bg, ps, bs, gain, weak, strong)
}
