// SPDX-License-Identifier: Apache-2.0

package motion

func sumsBlockGeneric(p, q []byte, ps, qs int) (sp, sq int) {
	for y := range side {
		a, b := (*[side]byte)(p[y*ps:]), (*[side]byte)(q[y*qs:])
		for x := range side {
			sp += int(a[x])
			sq += int(b[x])
		}
	}
	return sp, sq
}

func sadBlockGeneric(p, q []byte, ps, qs int) (sum int) {
	for y := range side {
		a, b := (*[side]byte)(p[y*ps:]), (*[side]byte)(q[y*qs:])
		for x := range side {
			d := int(a[x]) - int(b[x])
			sign := d >> 31
			sum += d ^ sign - sign
		}
	}
	return sum
}

func residueBlockGeneric(p, bg []byte, ps, bs int, gain, weak, strong int) (hits, near int) {
	for y := range side {
		row := (*[side]byte)(p[y*ps:])
		above, here, below := (*[side]byte)(bg[y*bs+1:]), (*[side + 2]byte)(bg[(y+1)*bs:]), (*[side]byte)(bg[(y+2)*bs+1:])
		for x, v := range row {
			if v >= clipped && gain > one {
				continue
			}
			a, b, c, e, f := here[x+1], here[x], here[x+2], above[x], below[x]
			least := int(min(a, b, c, e, f)) * gain / one
			most := int(max(a, b, c, e, f)) * gain / one
			off := max(int(v)-most, least-int(v))
			if off > weak {
				near++
			}
			if off > strong {
				hits++
			}
		}
	}
	return hits, near
}
