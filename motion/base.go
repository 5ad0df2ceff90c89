// SPDX-License-Identifier: Apache-2.0

package motion

// base keeps how bright the background is. It looks at one row of blocks in each frame: the background as a whole
// changes slowly, and when it does not, light measures the change itself.
type base struct {
	rows  []int // sum of the samples in each row of blocks
	total int
	count int // samples
	next  int
}

func newBase(g grid) base { return base{rows: make([]int, g.rows), count: g.w * g.h} }

// mean returns the mean luma of the background.
func (b *base) mean() int { return b.total / b.count }

func (b *base) fill(g grid, bg Plane) {
	for range g.rows {
		b.refresh(g, bg)
	}
}

func (b *base) refresh(g grid, bg Plane) {
	sum := 0
	for y := b.next * side; y < min(b.next*side+side, g.h); y++ {
		for _, v := range bg.row(y, 0, g.w) {
			sum += int(v)
		}
	}
	b.total += sum - b.rows[b.next]
	b.rows[b.next] = sum
	b.next = (b.next + 1) % g.rows
}
