// SPDX-License-Identifier: Apache-2.0

// Package mjpegtest makes the pictures that tests of Motion JPEG read: [Grey], [Encode] and [WithoutTables].
package mjpegtest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"testing"
)

// Grey is a picture of one shade, with a chroma of 100 and 160.
func Grey(w, h int, ratio image.YCbCrSubsampleRatio, level byte) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	for i := range img.Y {
		img.Y[i] = level
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 100, 160
	}
	return img
}

// Encode is a picture as JPEG, of the best quality.
func Encode(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// WithoutTables takes the Huffman tables out of a picture, as a camera does.
func WithoutTables(picture []byte) []byte {
	at := bytes.Index(picture, []byte{0xff, 0xc4} /* DHT */)
	size := int(binary.BigEndian.Uint16(picture[at+2:]))
	return append(bytes.Clone(picture[:at]), picture[at+2+size:]...)
}
