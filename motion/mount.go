// SPDX-License-Identifier: Apache-2.0

package motion

const (
	reach      = 4  // samples, how far a gust of wind may turn the camera
	trials     = 12 // blocks that are searched for
	shakeShare = 12 // one in so many blocks differs at least when the camera shakes
)

// mount says where the camera looks, after a gust of wind, against where it looked when the background was learnt.
type mount struct {
	dx, dy int // the sample x, y shows what was at x+dx, y+dy of the background
	votes  [2*reach + 1][2*reach + 1]int8
}

// follow looks for some of the blocks that differ in the background around them. If most of them were elsewhere, by
// the same way, it was the camera that moved.
func (m *mount) follow(d *Detector, p Plane) {
	m.dx, m.dy = 0, 0
	differ := 0
	for i := range d.out {
		if d.out[i].over >= 16 && d.zones.weight[i] > 0 {
			differ++
		}
	}
	if differ == 0 || differ*shakeShare < d.counted {
		return
	}
	clear(m.votes[:])
	asked, step, seen := 0, max(1, differ/trials), 0
	for i := range d.out {
		if d.zones.weight[i] == 0 || d.out[i].over < 16 {
			continue
		}
		seen++
		x0, y0, x1, y1 := d.grid.bounds(i)
		if seen%step != 0 || x0 < reach || y0 < reach || x1+reach > d.grid.w || y1+reach > d.grid.h {
			continue
		}
		asked++
		if dx, dy, ok := search(p, d.bg, x0, y0, d.out[i].sad()); ok {
			m.votes[dy+reach][dx+reach]++
		}
	}
	// A way between two samples splits the votes: those of its neighbours count, too.
	best, centre := 0, 0
	for y := range m.votes {
		for x := range m.votes[y] {
			n := 0
			for ny := max(y-1, 0); ny <= min(y+1, 2*reach); ny++ {
				for nx := max(x-1, 0); nx <= min(x+1, 2*reach); nx++ {
					n += int(m.votes[ny][nx])
				}
			}
			if c := int(m.votes[y][x]); n > best || n == best && c > centre {
				best, centre = n, c
				m.dx, m.dy = x-reach, y-reach
			}
		}
	}
	if asked < trials/2 || 10*best < 6*asked {
		m.dx, m.dy = 0, 0
	}
}

// beyond tells whether block i shows something that the background has never seen, because the camera looks past its
// edge.
func (m *mount) beyond(g grid, i int) bool {
	if m.dx == 0 && m.dy == 0 {
		return false
	}
	x0, y0, x1, y1 := g.bounds(i)
	return x0+m.dx < 0 || y0+m.dy < 0 || x1+m.dx > g.w || y1+m.dy > g.h
}

// search finds the block at x0, y0 in the background around it, and is false if it is not there: less than half of
// the difference must be left.
func search(p, bg Plane, x0, y0, sad int) (dx, dy int, ok bool) {
	least := sad / 2
	block := p.Pix[y0*p.Stride+x0:]
	for sy := -reach; sy <= reach; sy++ {
		for sx := -reach; sx <= reach; sx++ {
			sum := blockSAD(block, bg.Pix[(y0+sy)*bg.Stride+x0+sx:], p.Stride, bg.Stride)
			if sum < least {
				least, dx, dy, ok = sum, sx, sy, true
			}
		}
	}
	return dx, dy, ok
}
