// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"time"
)

// A contact sheet has six pictures, in two rows.
const (
	sheetColumns = 3
	sheetRows    = 2
	thumbWidth   = 240 // at most
)

// sheet collects pictures for a contact sheet from a film of any length, in constant memory: it keeps every stride-th frame,
// and when it has too many it forgets every other one and doubles the stride.
type sheet struct {
	thumbs []*image.YCbCr
	stride int
	frames int
}

const maxThumbs = 2 * sheetColumns * sheetRows

func (s *sheet) add(img *image.YCbCr) {
	if s.stride == 0 {
		s.stride = 1
	}
	if s.frames%s.stride == 0 {
		s.thumbs = append(s.thumbs, shrink(img))
		if len(s.thumbs) == maxThumbs {
			s.thumbs = everyOther(s.thumbs)
			s.stride *= 2
		}
	}
	s.frames++
}

// jpeg lays out six of the pictures, evenly spread over the film.
func (s *sheet) jpeg() ([]byte, error) {
	if len(s.thumbs) == 0 {
		return nil, nil
	}
	size := s.thumbs[0].Rect.Size()
	out := image.NewYCbCr(image.Rect(0, 0, sheetColumns*size.X, sheetRows*size.Y), image.YCbCrSubsampleRatio420)
	const n = sheetColumns * sheetRows
	for i := range n {
		thumb := s.thumbs[i*(len(s.thumbs)-1)/(n-1)]
		x, y := i%sheetColumns*size.X, i/sheetColumns*size.Y
		paste(out.Y[y*out.YStride+x:], out.YStride, thumb.Y, thumb.YStride)
		c := y/2*out.CStride + x/2
		paste(out.Cb[c:], out.CStride, thumb.Cb, thumb.CStride)
		paste(out.Cr[c:], out.CStride, thumb.Cr, thumb.CStride)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 80}); err != nil {
		return nil, fmt.Errorf("encode contact sheet: %w", err)
	}
	return b.Bytes(), nil
}

// shrink averages blocks of whole pixels; the result is even, and at most thumbWidth wide unless the picture is a strip that
// is too low for such blocks.
func shrink(img *image.YCbCr) *image.YCbCr {
	size := img.Rect.Size()
	by := max(1, min((size.X+thumbWidth-1)/thumbWidth, size.Y/2))
	w, h := size.X/by&^1, size.Y/by&^1
	out := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	average(out.Y, out.YStride, w, h, img.Y, img.YStride, by)
	average(out.Cb, out.CStride, w/2, h/2, img.Cb, img.CStride, by)
	average(out.Cr, out.CStride, w/2, h/2, img.Cr, img.CStride, by)
	return out
}

// average fills w x h samples of dst with the means of by x by samples of src.
func average(dst []byte, dstStride, w, h int, src []byte, srcStride, by int) {
	for y := range h {
		for x := range w {
			sum := 0
			for dy := range by {
				row := src[(y*by+dy)*srcStride+x*by:]
				for _, v := range row[:by] {
					sum += int(v)
				}
			}
			dst[y*dstStride+x] = byte(sum / (by * by))
		}
	}
}

// paste copies a plane whose rows have no padding.
func paste(dst []byte, dstStride int, src []byte, srcStride int) {
	for y := 0; y*srcStride < len(src); y++ {
		copy(dst[y*dstStride:], src[y*srcStride:(y+1)*srcStride])
	}
}

func everyOther[T any](s []T) []T {
	n := 0
	for i := 0; i < len(s); i += 2 {
		s[n] = s[i]
		n++
	}
	clear(s[n:])
	return s[:n]
}

// track keeps samples of what the detector saw, in constant memory.
type track struct {
	samples  []Sample
	interval time.Duration
}

const maxSamples = 600

func (t *track) add(s Sample) {
	if t.interval == 0 {
		t.interval = 200 * time.Millisecond
	}
	if n := len(t.samples); n > 0 && s.Offset-t.samples[n-1].Offset < t.interval {
		return
	}
	t.samples = append(t.samples, s)
	if len(t.samples) == maxSamples {
		t.samples = everyOther(t.samples)
		t.interval *= 2
	}
}
