// SPDX-License-Identifier: Apache-2.0

// Package focus says how sharp a picture is, for who turns the lens: [Sharpness] of one picture, a [Meter] over time. The number has no
// unit: it grows as the lens gets nearer to its best, and says nothing across scenes.
package focus

import (
	"fmt"
	"math"
	"strings"

	"github.com/nightjar-cam/nightjar/capture"
)

// Sharpness returns the standard deviation of the Laplacian in the middle half of the plane, in steps of luma. Edges have a large
// Laplacian where they are sharp; the mean of it is that of a gradient, as of a wall that is lit from one side. It is 0 for a plane
// without a middle.
func Sharpness(p capture.Plane) float64 {
	x0, x1, y0, y1 := p.W/4, p.W-p.W/4, p.H/4, p.H-p.H/4
	x0, y0, x1, y1 = max(1, x0), max(1, y0), min(p.W-1, x1), min(p.H-1, y1)
	if x0 >= x1 || y0 >= y1 || p.Stride < p.W || len(p.Pix) < (p.H-1)*p.Stride+p.W {
		return 0
	}
	var sum, squares int64
	for y := y0; y < y1; y++ {
		above, row, below := p.Pix[(y-1)*p.Stride:], p.Pix[y*p.Stride:], p.Pix[(y+1)*p.Stride:]
		for x := x0; x < x1; x++ {
			l := 4*int64(row[x]) - int64(row[x-1]) - int64(row[x+1]) - int64(above[x]) - int64(below[x])
			sum += l
			squares += l * l
		}
	}
	n := float64((x1 - x0) * (y1 - y0))
	mean := float64(sum) / n
	return math.Sqrt(max(0, float64(squares)/n-mean*mean))
}

// barWidth is that of a full bar, in characters.
const barWidth = 40

// A Meter shows sharpness against the best that it has seen. Noise makes single pictures jump, so it shows a mean over some.
type Meter struct {
	mean, peak float64
	seen       bool
}

// Add takes the sharpness of the next picture.
func (m *Meter) Add(s float64) {
	if !m.seen {
		m.mean, m.seen = s, true
	}
	m.mean += (s - m.mean) / 3
	m.peak = max(m.peak, m.mean)
}

// Line shows where the lens is: a bar, the figure, and the best one.
func (m *Meter) Line() string {
	share := 0.0
	if m.peak > 0 {
		share = m.mean / m.peak
	}
	n := int(math.Round(share * barWidth))
	return fmt.Sprintf("[%s%s] %6.2f, best %6.2f, %3.0f %%", strings.Repeat("#", n), strings.Repeat(".", barWidth-n), m.mean, m.peak, share*100)
}
