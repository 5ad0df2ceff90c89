// SPDX-License-Identifier: Apache-2.0

package mjpeg

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/mjpeg/mjpegtest"
)

// The encoder of image/jpeg writes the typical tables: the source to compare ours with.
func TestDefaultTables(t *testing.T) {
	if !bytes.Contains(mjpegtest.Encode(t, mjpegtest.Grey(16, 16, image.YCbCrSubsampleRatio420, 0)), defaultTables) {
		t.Error("the tables differ from those of image/jpeg")
	}
}

func TestDecodeWithoutTables(t *testing.T) {
	whole := mjpegtest.Encode(t, mjpegtest.Grey(16, 16, image.YCbCrSubsampleRatio420, 77))
	bare := mjpegtest.WithoutTables(whole)
	if _, err := jpeg.Decode(bytes.NewReader(bare)); err == nil {
		t.Fatal("image/jpeg reads the picture without its tables: ours are not needed")
	}
	f, _ := capture.NewPool(16, 16, 1).Get()
	var d Decoder
	for _, picture := range [][]byte{bare, whole, bare} {
		f.Y[0] = 0
		if err := d.Decode(f, picture); err != nil || f.Y[0] != 77 {
			t.Errorf("luma %d, %v, want 77", f.Y[0], err)
		}
	}
}

// 4:2:2 made by ffmpeg (testsrc, 48x24): the standard library writes no such file.
func TestDecode422(t *testing.T) {
	picture, err := os.ReadFile("testdata/422.jpg")
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	source := img.(*image.YCbCr)
	if source.SubsampleRatio != image.YCbCrSubsampleRatio422 {
		t.Fatalf("the test file is %v", source.SubsampleRatio)
	}
	w, h := source.Rect.Dx(), source.Rect.Dy()
	f, _ := capture.NewPool(w, h, 1).Get()
	var d Decoder
	if err := d.Decode(f, picture); err != nil {
		t.Fatal(err)
	}
	for y := range h {
		for x := range w {
			if got, want := f.Y[f.YOffset(x, y)], source.Y[source.YOffset(x, y)]; got != want {
				t.Fatalf("luma %d,%d: got %d, want %d", x, y, got, want)
			}
			upper, lower := source.COffset(x, y&^1), source.COffset(x, y|1)
			want := byte((int(source.Cr[upper]) + int(source.Cr[lower]) + 1) / 2)
			if got := f.Cr[f.COffset(x, y)]; got != want {
				t.Fatalf("Cr %d,%d: got %d, want %d", x, y, got, want)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := mjpegtest.Encode(t, mjpegtest.Grey(16, 16, image.YCbCrSubsampleRatio420, 0))
	claim := bytes.Clone(good) // 65535 x 65535: 6 GB if it were believed
	sof := bytes.Index(claim, []byte{0xff, 0xc0})
	copy(claim[sof+5:], "\xff\xff\xff\xff")
	tests := map[string]struct {
		picture []byte
		reason  string
	}{
		"other size":    {mjpegtest.Encode(t, mjpegtest.Grey(32, 16, image.YCbCrSubsampleRatio420, 0)), "32x16 in a film of 16x16"},
		"claimed size":  {claim, "65535x65535"},
		"grey":          {mjpegtest.Encode(t, image.NewGray(image.Rect(0, 0, 16, 16))), "Gray"},
		"cut off":       {good[:len(good)-10], "short Huffman data"},
		"one byte":      {[]byte{0xff}, "EOF"},
		"no JPEG":       {[]byte("hello, hello"), "missing SOI"},
		"segment of 0":  {[]byte{0xff, markerSOI, 0xff, 0xe0, 0, 0, 0xff, 0xd9}, "length"},
		"only a header": {good[:20], "EOF"},
	}
	f, _ := capture.NewPool(16, 16, 1).Get()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			if err := d.Decode(f, test.picture); err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want an error with %q", err, test.reason)
			}
		})
	}
}

func TestDrawRefusesOtherChroma(t *testing.T) {
	f, _ := capture.NewPool(16, 16, 1).Get()
	if err := draw(f, mjpegtest.Grey(16, 16, image.YCbCrSubsampleRatio444, 0)); err == nil || !strings.Contains(err.Error(), "4:2:0") {
		t.Errorf("got %v, want an error that names what is read", err)
	}
}
