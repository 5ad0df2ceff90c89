// SPDX-License-Identifier: Apache-2.0

// Package mjpeg draws the pictures of Motion JPEG into frames: [Decoder.Decode].
package mjpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/nightjar-cam/nightjar/capture"
)

// Markers of ITU-T T.81 table B.1.
const (
	markerSOI = 0xd8
	markerDHT = 0xc4
	markerSOS = 0xda
)

// Decoder draws JPEG pictures into frames. The zero value is ready; one goroutine uses it.
type Decoder struct {
	whole []byte // scratch: a picture with its tables put in
}

// Decode draws a picture of f's size with 4:2:0 or 4:2:2 chroma, with or without the usual Huffman tables. It allocates what
// image/jpeg does, for a picture of another size nothing.
func (d *Decoder) Decode(f *capture.Frame, data []byte) error {
	if !hasHuffmanTables(data) {
		// image/jpeg knows no default tables. They go right behind SOI, where any table may stand.
		d.whole = append(d.whole[:0], 0xff, markerSOI)
		d.whole = append(d.whole, defaultTables...)
		d.whole = append(d.whole, data[min(2, len(data)):]...)
		data = d.whole
	}
	// The size first: Decode allocates whatever the picture claims, up to 65535 x 65535.
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if cfg.Width != f.Rect.Dx() || cfg.Height != f.Rect.Dy() {
		return fmt.Errorf("picture is %dx%d in a film of %dx%d", cfg.Width, cfg.Height, f.Rect.Dx(), f.Rect.Dy())
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	ycc, ok := img.(*image.YCbCr)
	if !ok {
		return fmt.Errorf("picture is a %T, want YCbCr with 4:2:0 or 4:2:2 chroma", img)
	}
	return draw(f, ycc)
}

// hasHuffmanTables walks over the segments in front of the scan (T.81 annex B). The Motion JPEG of many
// cameras leaves the tables out, since they are always the same.
func hasHuffmanTables(data []byte) bool {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		switch marker := data[at+1]; marker {
		case 0xff: // fill byte
			at++
			continue
		case markerDHT:
			return true
		case markerSOS:
			return false
		}
		at += 2 + int(data[at+2])<<8 + int(data[at+3]) // the length counts its own two bytes
	}
	return true // it is not a JPEG that tables could mend
}

// draw copies a picture of the same size into f.
func draw(f *capture.Frame, img *image.YCbCr) error {
	w, h := f.Rect.Dx(), f.Rect.Dy()
	for y := range h {
		copy(f.Y[y*f.YStride:][:w], img.Y[y*img.YStride:])
	}
	for y := range h / 2 {
		at := y * f.CStride
		cb, cr := f.Cb[at:][:w/2], f.Cr[at:][:w/2]
		switch img.SubsampleRatio {
		case image.YCbCrSubsampleRatio420:
			from := y * img.CStride
			copy(cb, img.Cb[from:])
			copy(cr, img.Cr[from:])
		case image.YCbCrSubsampleRatio422:
			upper, lower := 2*y*img.CStride, (2*y+1)*img.CStride
			average(cb, img.Cb[upper:], img.Cb[lower:])
			average(cr, img.Cr[upper:], img.Cr[lower:])
		default:
			return fmt.Errorf("picture with chroma %v, want 4:2:0 or 4:2:2", img.SubsampleRatio)
		}
	}
	return nil
}

// average sets dst to the rounded mean of two rows.
func average(dst, a, b []byte) {
	for i := range dst {
		dst[i] = byte((int(a[i]) + int(b[i]) + 1) / 2)
	}
}
