// SPDX-License-Identifier: Apache-2.0

//go:build (amd64 || arm64) && !purego

package motion

// diffVector stores in out what it finds in 2*pairs rows of groups*group samples, at least one pair and one group.
//
//go:noescape
func diffVector(out *sums, cur, bg *byte, limit, follow *uint8, curStride, bgStride, groups, pairs int, rows uint8)

// diffStripe gives whole groups of samples in whole pairs of rows to the assembly, and the rest to diffGeneric.
func diffStripe(s stripe) {
	groups, pairs := s.w/group, s.h/2
	if !useVector || groups == 0 || pairs == 0 {
		diffGeneric(s)
		return
	}
	diffVector(&s.out[0], &s.cur[0], &s.bg[0], &s.limit[0], &s.follow[0], s.curStride, s.bgStride, groups, pairs, s.rows)
	x := groups * group
	if x < s.w {
		diffGeneric(s.right(x))
	}
	if s.h%2 != 0 {
		diffGeneric(s.below(2*pairs, x))
	}
}
