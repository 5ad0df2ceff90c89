// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"fmt"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/mjpeg"
)

// layout is how a picture lies in a buffer. Formats are described in the kernel's documentation of V4L2, chapter 2.
type layout struct {
	name string // its four characters
	// size is how many bytes a picture has at least; nil: any number.
	size func(stride, height int) int
	// least is how long a row is at least.
	least func(width int) int
	// lends: the luma lies at the beginning, a byte a sample.
	lends bool
	// draw writes a picture of dst's size into dst.
	draw func(dst *capture.Frame, src []byte, stride int, lv *levels) error
}

// layouts are all that the driver reads, the cheapest first.
var layouts = []layout{
	{"YU12", threeHalves, same, true, drawI420},
	{"NV12", threeHalves, same, true, drawNV12},
	{"YUYV", whole, double, false, func(dst *capture.Frame, src []byte, stride int, lv *levels) error {
		return drawPacked(dst, src, stride, lv, 0, 1)
	}},
	{"UYVY", whole, double, false, func(dst *capture.Frame, src []byte, stride int, lv *levels) error {
		return drawPacked(dst, src, stride, lv, 1, 0)
	}},
	{"MJPG", nil, nil, false, nil}, // each reader has a decoder of its own
}

func same(width int) int                 { return width }
func double(width int) int               { return 2 * width }
func whole(stride, height int) int       { return stride * height }
func threeHalves(stride, height int) int { return stride*height + 2*(stride/2*(height/2)) }
func findLayout(pixel uint32) (layout, bool) {
	for _, l := range layouts {
		if fourcc(l.name) == pixel {
			return l, true
		}
	}
	return layout{}, false
}

// levels stretch samples of limited range, as most cameras give, to the full range of our frames (ITU-R BT.601: luma 16 to 235,
// chroma 16 to 240). nil leaves samples as they are.
type levels struct{ luma, chroma [256]byte }

var limited = func() *levels {
	lv := &levels{}
	clamp := func(n int) byte { return byte(max(0, min(255, n))) }
	for i := range 256 {
		lv.luma[i] = clamp(((i-16)*255 + 109) / 219)
		c := (i - 128) * 255
		if c < 0 {
			c -= 112
		} else {
			c += 112
		}
		lv.chroma[i] = clamp(c/224 + 128)
	}
	return lv
}()

// row copies a row of samples, through a table if there is one.
func row(dst, src []byte, table *[256]byte) {
	if table == nil {
		copy(dst, src)
		return
	}
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = table[v]
	}
}

func (lv *levels) tables() (luma, chroma *[256]byte) {
	if lv == nil {
		return nil, nil
	}
	return &lv.luma, &lv.chroma
}

func drawLuma(dst *capture.Frame, src []byte, stride int, table *[256]byte) {
	w := dst.Rect.Dx()
	for y := range dst.Rect.Dy() {
		row(dst.Y[y*dst.YStride:][:w], src[y*stride:], table)
	}
}

func drawI420(dst *capture.Frame, src []byte, stride int, lv *levels) error {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	luma, chroma := lv.tables()
	drawLuma(dst, src, stride, luma)
	cb := src[stride*h:]
	cr := cb[stride/2*(h/2):]
	for y := range h / 2 {
		row(dst.Cb[y*dst.CStride:][:w/2], cb[y*(stride/2):], chroma)
		row(dst.Cr[y*dst.CStride:][:w/2], cr[y*(stride/2):], chroma)
	}
	return nil
}

func drawNV12(dst *capture.Frame, src []byte, stride int, lv *levels) error {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	luma, chroma := lv.tables()
	drawLuma(dst, src, stride, luma)
	for y := range h / 2 {
		from := src[stride*h+y*stride:][:w]
		cb, cr := dst.Cb[y*dst.CStride:][:w/2], dst.Cr[y*dst.CStride:][:w/2]
		for x := range cb {
			cb[x], cr[x] = from[2*x], from[2*x+1]
		}
		if chroma != nil {
			row(cb, cb, chroma)
			row(cr, cr, chroma)
		}
	}
	return nil
}

// drawPacked unpacks 4:2:2 whose pairs of luma begin at byte l of four, and those of chroma at byte c. The chroma of two rows is
// averaged.
func drawPacked(dst *capture.Frame, src []byte, stride int, lv *levels, l, c int) error {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	luma, chroma := lv.tables()
	for y := 0; y < h; y += 2 {
		upper, lower := src[y*stride:][:2*w], src[(y+1)*stride:][:2*w]
		yu, yl := dst.Y[y*dst.YStride:][:w], dst.Y[(y+1)*dst.YStride:][:w]
		cb, cr := dst.Cb[y/2*dst.CStride:][:w/2], dst.Cr[y/2*dst.CStride:][:w/2]
		for x := range cb {
			u, d := upper[4*x:][:4], lower[4*x:][:4]
			yu[2*x], yu[2*x+1] = u[l], u[l+2]
			yl[2*x], yl[2*x+1] = d[l], d[l+2]
			cb[x] = byte((int(u[c]) + int(d[c]) + 1) / 2)
			cr[x] = byte((int(u[c+2]) + int(d[c+2]) + 1) / 2)
		}
		if lv != nil {
			row(yu, yu, luma)
			row(yl, yl, luma)
			row(cb, cb, chroma)
			row(cr, cr, chroma)
		}
	}
	return nil
}

// drawMJPEG returns a draw with a decoder of its own. JPEG is full range.
func drawMJPEG() func(*capture.Frame, []byte, int, *levels) error {
	var d mjpeg.Decoder
	return func(dst *capture.Frame, src []byte, _ int, _ *levels) error {
		if err := d.Decode(dst, src); err != nil {
			return fmt.Errorf("decode picture: %w", err)
		}
		return nil
	}
}
