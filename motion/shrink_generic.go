// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// In lanes of 32 bits: the lower lane of 16 bits, and 1.
const (
	pairs = ^uint(0) / 0xffffffff * 0xffff
	quads = ^uint(0) / 0xffffffff
)

// shrinkGeneric is shrinkRow for any processor: as many samples as a word holds, then the rest one by one.
func shrinkGeneric(dst, src []byte, stride, k int) {
	x := 0
	if aligned(src, stride) {
		for ; (x+1)*wordSize <= len(dst)*k; x++ {
			at := x * wordSize
			if k == 2 {
				narrow2(dst[at/2:], columns(src, at)+columns(src, at+stride))
			} else {
				narrow4(dst[at/4:], columns(src, at)+columns(src, at+stride)+columns(src, at+2*stride)+columns(src, at+3*stride))
			}
		}
		x = x * wordSize / k
	}
	for ; x < len(dst); x++ {
		sum := k * k / 2
		for y := range k {
			for _, v := range src[y*stride+x*k:][:k] {
				sum += int(v)
			}
		}
		dst[x] = byte(sum / (k * k))
	}
}

// columns returns the sums of pairs of samples in the word at src[at], in lanes of 16 bits.
func columns(src []byte, at int) uint {
	v := *(*uint)(unsafe.Pointer((*[wordSize]byte)(src[at:])))
	return v&even + v>>8&even
}

// narrow2 stores a quarter of each lane of v. It keeps the order of the lanes, so it suits either order of bytes.
func narrow2(dst []byte, v uint) {
	v = (v + 2*lanes) >> 2 & even
	v |= v >> 8
	if bits.UintSize == 32 {
		binary.NativeEndian.PutUint16(dst, uint16(v))
		return
	}
	v &= pairs
	binary.NativeEndian.PutUint32(dst, uint32(v|v>>16))
}

// narrow4 stores a sixteenth of the sum of each two lanes of v.
func narrow4(dst []byte, v uint) {
	v = (v&pairs + v>>16&pairs + 8*quads) >> 4
	if bits.UintSize == 32 {
		dst[0] = byte(v)
		return
	}
	binary.NativeEndian.PutUint16(dst, uint16(v&0xff|v>>24&0xff00))
}
