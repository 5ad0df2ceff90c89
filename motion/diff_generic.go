// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math/bits"
	"runtime"
	"unsafe"
)

// The plain Go works on as many samples as a machine word holds, each in a lane of 16 bits, without branches: noise
// makes every one of them a coin toss. The lanes are independent, so the order of bytes does not matter.
const (
	wordSize = bits.UintSize / 8
	lanes    = ^uint(0) / 0xffff // 1 in each lane
	even     = lanes * 0xff      // the samples at even addresses, or the odd ones after >> 8
)

// diffGeneric is diffStripe for any processor. It goes block by block, with the sums in registers.
func diffGeneric(s stripe) {
	whole := s.w / side
	if !aligned(s.cur, s.curStride) || !aligned(s.bg, s.bgStride) {
		whole = 0
	}
	for b := range s.out {
		cur, bg := s.cur[b*side:], s.bg[b*side:]
		if b < whole {
			diffBlock(cur, bg, s.curStride, s.bgStride, s.h, s.limit[b], s.follow[b], s.rows, &s.out[b])
		} else {
			diffPart(cur, bg, &s, b)
		}
	}
}

// aligned tells whether the rows of a plane may be read as words.
func aligned(pix []byte, stride int) bool {
	switch runtime.GOARCH {
	case "386", "amd64", "arm64":
		return true // they do it at any address
	}
	return (uintptr(unsafe.Pointer(unsafe.SliceData(pix)))|uintptr(stride))%wordSize == 0
}

// words is a row of a block.
type words = [side / wordSize]uint

// row8 returns the row of a block that starts at pix[at].
func row8(pix []byte, at int) *words {
	return (*words)(unsafe.Pointer((*[side]byte)(pix[at:])))
}

// diffBlock adds h rows of a block to o.
func diffBlock(cur, bg []byte, curStride, bgStride, h int, limit, follow, rows uint8, o *sums) {
	var pos, abs, over uint // per lane: at most 32 samples, so 32*256
	top := lanes * (255 - uint(limit))
	f := lanes * uint(follow)
	if follow == 0 {
		rows = 0
	}
	for y := range h {
		c, b := row8(cur, y*curStride), row8(bg, y*bgStride)
		for i := range c {
			p0, a0, up0 := compare(c[i]&even, b[i]&even)
			p1, a1, up1 := compare(c[i]>>8&even, b[i]>>8&even)
			pos += p0 + p1
			abs += a0 + a1
			over += (a0+top)&(lanes<<8) + (a1+top)&(lanes<<8)
			if rows>>(y&1)&1 != 0 {
				b[i] = move(b[i]&even, a0, up0, f) | move(b[i]>>8&even, a1, up1, f)<<8
			}
		}
	}
	up := fold(pos)
	o.pos += up
	o.neg += fold(abs) - up
	o.over += fold(over >> 8)
}

// compare returns in each lane c-b where that is above 0, |c-b|, and 255 where c >= b.
func compare(c, b uint) (pos, abs, up uint) {
	d := (c | lanes<<8) - b // 256 + c - b: no lane borrows from the next
	up = (d >> 8 & lanes) * 255
	return d & up, lanes<<8 + up - (d ^ up), up
}

// move returns b, moved by min(abs, f) up or down.
func move(b, abs, up, f uint) uint {
	far := ((abs + even - f) >> 8 & lanes) * 255 // 255 where abs > f
	step := abs&^far | f&far
	return b + 2*(step&up) - step
}

// fold returns the sum of the lanes.
func fold(v uint) uint16 { return uint16(v * lanes >> (bits.UintSize - 16)) }

// diffPart is diffBlock for block b of s when it is narrow or lies askew in memory. The samples that a narrow block
// lacks are black in both planes, which adds nothing to any sum.
func diffPart(cur, bg []byte, s *stripe, b int) {
	var c, v [side * side / wordSize]uint // of words, for their alignment
	cp, vp := (*[side * side]byte)(unsafe.Pointer(&c))[:], (*[side * side]byte)(unsafe.Pointer(&v))[:]
	n := min(side, s.w-b*side)
	for y := range s.h {
		copy(cp[y*side:], cur[y*s.curStride:][:n])
		copy(vp[y*side:], bg[y*s.bgStride:][:n])
	}
	diffBlock(cp, vp, side, side, s.h, s.limit[b], s.follow[b], s.rows, &s.out[b])
	for y := range s.h {
		if s.rows>>(y&1)&1 != 0 {
			copy(bg[y*s.bgStride:][:n], vp[y*side:])
		}
	}
}
