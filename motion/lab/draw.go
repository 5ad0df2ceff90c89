// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/nightjar-cam/nightjar/motion"
)

// Shades of blocks, laid over the picture. A block that is busy by habit is the bluer the busier it is.
var (
	strongShade  = color.RGBA{230, 40, 30, 110}
	weakShade    = color.RGBA{240, 180, 0, 90}
	busyShade    = color.RGBA{40, 90, 250, 120}
	ignoredShade = color.RGBA{0, 0, 0, 150}
	boxColour    = color.RGBA{60, 255, 60, 255}
	textColour   = color.RGBA{255, 255, 255, 255}
)

const (
	smallest   = 640  // a picture less wide than this is drawn larger, or the text would hide it
	largest    = 4096 // an edge that is never exceeded by enlarging
	bandHeight = 18   // of the line of text
	baseline   = 13
)

// canvas is the picture that is drawn on: the film's, enlarged by a whole number, with a line of text below. Both edges
// are even, as video codecs want them.
type canvas struct {
	*image.RGBA
	zoom, w, h int // w and h are the film's
	cells      []motion.Cell
}

func newCanvas(w, h int) *canvas {
	zoom := max(1, min((smallest+w-1)/w, largest/max(w, h)))
	width, height := w*zoom, h*zoom+bandHeight
	return &canvas{RGBA: image.NewRGBA(image.Rect(0, 0, width+width&1, height+height&1)), zoom: zoom, w: w, h: h}
}

// draw shows a frame, what the detector thinks of its blocks, and what it says.
func (c *canvas) draw(p motion.Plane, d *motion.Detector, v Verdict) {
	clear(c.Pix)
	c.cells = d.Cells(c.cells[:0])
	cols, rows, bw, bh := d.Grid()
	// Lines of the grid are drawn where a block begins, as long as blocks are large enough to see through them.
	cellW, cellH := int(bw*float64(c.w)+0.5), int(bh*float64(c.h)+0.5)
	lines := cellW*c.zoom >= 16
	for y := range c.h {
		for x := range c.w {
			luma := p.Pix[y*p.Stride+x]
			at := color.RGBA{luma, luma, luma, 255}
			if i := min(y/cellH, rows-1)*cols + min(x/cellW, cols-1); i < len(c.cells) {
				at = over(at, shade(c.cells[i]))
			}
			c.block(x, y, at, lines && x%cellW == 0, lines && y%cellH == 0)
		}
	}
	for _, b := range v.Boxes {
		c.box(b)
	}
	c.text(fmt.Sprintf("frame %d  %.2f s  %s  score %.4f", v.Frame, v.T.Seconds(), v.Why, v.Score), v.Motion)
}

// block fills what one sample becomes.
func (c *canvas) block(x, y int, at color.RGBA, left, top bool) {
	line := over(at, color.RGBA{255, 255, 255, 40})
	for j := range c.zoom {
		for i := range c.zoom {
			colour := at
			if left && i == 0 || top && j == 0 {
				colour = line
			}
			c.SetRGBA(x*c.zoom+i, y*c.zoom+j, colour)
		}
	}
}

// shade returns what is laid over a block.
func shade(cell motion.Cell) color.RGBA {
	switch {
	case cell.Ignored:
		return ignoredShade
	case cell.Level == motion.CellStrong:
		return strongShade
	case cell.Level == motion.CellWeak:
		return weakShade
	}
	s := busyShade
	s.A = uint8(int(s.A) * min(int(cell.Busy), 128) / 128)
	return s
}

// over lays a colour with an alpha that is not multiplied in over an opaque one.
func over(under, s color.RGBA) color.RGBA {
	mixed := func(a, b uint8) uint8 { return uint8((int(a)*(255-int(s.A)) + int(b)*int(s.A)) / 255) }
	return color.RGBA{mixed(under.R, s.R), mixed(under.G, s.G), mixed(under.B, s.B), 255}
}

// box draws the frame of a box, two samples thick, within the picture.
func (c *canvas) box(b motion.Box) {
	w, h := c.w*c.zoom, c.h*c.zoom
	r := image.Rect(int(b.X0*float64(w)), int(b.Y0*float64(h)), int(b.X1*float64(w)+0.5), int(b.Y1*float64(h)+0.5)).Intersect(image.Rect(0, 0, w, h))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if x < r.Min.X+2 || x >= r.Max.X-2 || y < r.Min.Y+2 || y >= r.Max.Y-2 {
				c.SetRGBA(x, y, boxColour)
			}
		}
	}
}

// text writes the line below the picture, on red while there is motion.
func (c *canvas) text(s string, motion bool) {
	band := color.RGBA{0, 0, 0, 255}
	if motion {
		band = color.RGBA{140, 20, 20, 255}
	}
	top, size := c.h*c.zoom, c.Bounds().Max
	for y := top; y < size.Y; y++ {
		for x := range size.X {
			c.SetRGBA(x, y, band)
		}
	}
	writer := font.Drawer{Dst: c, Src: image.NewUniform(textColour), Face: basicfont.Face7x13, Dot: fixed.P(4, top+baseline)}
	writer.DrawString(s)
}
