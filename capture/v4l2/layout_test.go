// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
)

// One picture of 4x2 in each layout, with rows that are longer than they need be.
func TestLayouts(t *testing.T) {
	const x = 0xaa // padding
	for name, src := range map[string][]byte{
		"YU12": {1, 2, 3, 4, x, x, x, x, 5, 6, 7, 8, x, x, x, x, 10, 20, x, x, 30, 40, x, x},
		"NV12": {1, 2, 3, 4, x, x, x, x, 5, 6, 7, 8, x, x, x, x, 10, 30, 20, 40, x, x, x, x},
		"YUYV": {1, 9, 2, 30, 3, 19, 4, 40, x, x, x, x, 5, 10, 6, 30, 7, 21, 8, 40, x, x, x, x},
		"UYVY": {9, 1, 30, 2, 19, 3, 40, 4, x, x, x, x, 10, 5, 30, 6, 21, 7, 40, 8, x, x, x, x},
	} {
		l, ok := findLayout(fourcc(name))
		if !ok {
			t.Fatalf("no layout %s", name)
		}
		stride := 8
		if name == "YUYV" || name == "UYVY" {
			stride = 12
		}
		if l.size(stride, 2) != len(src) {
			t.Errorf("%s: a picture has %d bytes, want %d", name, l.size(stride, 2), len(src))
		}
		f, _ := capture.NewPool(4, 2, 1).Get()
		if err := l.draw(f, src, stride, nil); err != nil {
			t.Fatal(err)
		}
		for i, want := range []byte{1, 2, 3, 4, 5, 6, 7, 8} {
			if got := f.Y[i/4*f.YStride+i%4]; got != want {
				t.Errorf("%s: luma %d is %d, want %d", name, i, got, want)
			}
		}
		if f.Cb[0] != 10 || f.Cb[1] != 20 || f.Cr[0] != 30 || f.Cr[1] != 40 {
			t.Errorf("%s: chroma %v %v", name, f.Cb[:2], f.Cr[:2])
		}
		if err := l.draw(f, src, stride, limited); err != nil || f.Y[0] != 0 || f.Cb[0] != limited.chroma[10] {
			t.Errorf("%s of limited range: %v, luma %d, chroma %d", name, err, f.Y[0], f.Cb[0])
		}
	}
}

// BT.601: 16 is black, 235 white, 128 no colour.
func TestLevels(t *testing.T) {
	for in, want := range map[int]byte{0: 0, 16: 0, 125: 127, 126: 128, 235: 255, 255: 255} {
		if got := limited.luma[in]; got != want {
			t.Errorf("luma %d becomes %d, want %d", in, got, want)
		}
	}
	for in, want := range map[int]byte{0: 0, 16: 1, 128: 128, 240: 255, 255: 255} {
		if got := limited.chroma[in]; got != want && int(got)+1 != int(want) && int(got)-1 != int(want) {
			t.Errorf("chroma %d becomes %d, want %d", in, got, want)
		}
	}
}

func FuzzMJPEG(f *testing.F) {
	f.Add([]byte{0xff, 0xd8})
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, _ := capture.NewPool(16, 16, 1).Get()
		drawMJPEG()(frame, data, 0, nil) // whatever a camera sends is a picture or an error
	})
}
