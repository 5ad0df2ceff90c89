// SPDX-License-Identifier: Apache-2.0

//go:build (amd64 || arm64) && !purego

package motion

// shrinkGroup is how many samples the assembly makes at a time.
const shrinkGroup = 32

// shrink2 and shrink4 make groups*shrinkGroup samples, at least one group, from 2 or 4 rows.
//
//go:noescape
func shrink2(dst, src *byte, stride, groups int)

//go:noescape
func shrink4(dst, src *byte, stride, groups int)

// shrinkRow makes a row of dst from k rows of src. A last group that is not whole is done as one that overlaps.
func shrinkRow(dst, src []byte, stride, k int) {
	if !useVector || len(dst) < shrinkGroup {
		shrinkGeneric(dst, src, stride, k)
		return
	}
	kernel := shrink2
	if k == 4 {
		kernel = shrink4
	}
	kernel(&dst[0], &src[0], stride, len(dst)/shrinkGroup)
	if len(dst)%shrinkGroup != 0 {
		x := len(dst) - shrinkGroup
		kernel(&dst[x], &src[x*k], stride, 1)
	}
}
