// SPDX-License-Identifier: Apache-2.0

package motion

func diffRow(s stripe, out []sums) { diffRowGeneric(s, out) }

// diffRowGeneric is diffRow for any processor. It goes along the rows, as the memory lies, and adds to one row
// of accumulators.
func diffRowGeneric(s stripe, out []sums) {
	clear(out)
	for y := s.y0; y < s.y1; y++ {
		cur, bg, prev := s.cur.row(y, 0, s.cur.W), s.bg.row(y, 0, s.cur.W), s.prev.row(y, 0, s.cur.W)
		for b := range out {
			n := min(side, len(cur))
			o := &out[b]
			if n == side {
				diff8((*[side]byte)(cur), (*[side]byte)(bg), (*[side]byte)(prev), s.limit[b], s.update[b], o)
			} else {
				diffPart(cur, bg, prev, s.limit[b], s.update[b], o)
			}
			if s.keep {
				copy(prev[:n], cur)
			}
			cur, bg, prev = cur[n:], bg[n:], prev[n:]
		}
	}
}

// diff8 adds one row of a whole block to o. It has no branches: noise makes every one of them a coin toss.
func diff8(cur, bg, prev *[side]byte, limit, update uint8, o *sums) {
	var total, abs, luma, change, over int32
	t, on := int32(limit), int32(0)
	if update != 0 {
		on = 1
	}
	for i := range side {
		c, b := int32(cur[i]), int32(bg[i])
		d := c - b
		sign := d >> 31 // -1 or 0
		a := (d ^ sign) - sign
		total += d
		abs += a
		luma += c
		over += int32(uint32(t-a) >> 31)
		e := c - int32(prev[i])
		es := e >> 31
		change += (e ^ es) - es
		step := sign | int32(uint32(-d)>>31) // sign of d: -1, 0 or 1
		bg[i] = uint8(b + step*on)
	}
	o.pos += uint16((abs + total) / 2)
	o.neg += uint16((abs - total) / 2)
	o.luma += uint16(luma)
	o.change += uint16(change)
	o.over += uint16(over)
}

// diffPart is diff8 for the narrower block at the right edge. The missing samples are black in all planes, which
// adds nothing to any sum.
func diffPart(cur, bg, prev []byte, limit, update uint8, o *sums) {
	var c, b, p [side]byte
	copy(c[:], cur)
	copy(b[:], bg)
	copy(p[:], prev)
	diff8(&c, &b, &p, limit, update, o)
	copy(bg, b[:])
}
