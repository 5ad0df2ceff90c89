// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/motion"
)

// grey is a picture of one brightness.
func grey(w, h int, y byte) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = y
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	return img
}

// The pictures on the sheet are from the whole of the film, in order, however long it is; few are held meanwhile.
func TestContactSheet(t *testing.T) {
	for _, frames := range []int{1, 2, 6, 11, 12, 13, 100, 1000} {
		t.Run(fmt.Sprint(frames, " frames"), func(t *testing.T) {
			var s sheet
			for n := range frames {
				s.add(grey(640, 360, byte(250*n/frames)))
				if len(s.thumbs) >= maxThumbs || cap(s.thumbs) > 2*maxThumbs {
					t.Fatalf("%d pictures are held, room for %d", len(s.thumbs), cap(s.thumbs))
				}
			}
			img := decodeSheet(t, &s)
			if size := img.Bounds().Size(); size != image.Pt(3*212, 2*120) {
				t.Fatalf("size %v, want 636x240", size)
			}
			var levels []int
			for i := range sheetColumns * sheetRows {
				levels = append(levels, int(img.YCbCrAt(i%3*212+106, i/3*120+60).Y))
			}
			for i := 1; i < len(levels); i++ {
				if levels[i] < levels[i-1] {
					t.Errorf("the pictures are not in order: %v", levels)
				}
			}
			// From the first frame to one in the last quarter.
			if last := 250 * (frames - 1) / frames; levels[0] > 2 || levels[5] < last*3/4-2 || levels[5] > last+2 {
				t.Errorf("levels %v, want 0 to about %d", levels, last)
			}
		})
	}
}

func decodeSheet(t *testing.T, s *sheet) *image.YCbCr {
	t.Helper()
	data, err := s.jpeg()
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img.(*image.YCbCr)
}

func TestEmptySheet(t *testing.T) {
	var s sheet
	if data, err := s.jpeg(); data != nil || err != nil {
		t.Errorf("%d bytes, error %v", len(data), err)
	}
}

// Sizes of every shape have a sheet, also a strip that is lower than the blocks it would be divided by.
func TestSheetSizes(t *testing.T) {
	for _, c := range []struct{ in, thumb image.Point }{
		{image.Pt(640, 360), image.Pt(212, 120)},
		{image.Pt(1920, 1080), image.Pt(240, 134)},
		{image.Pt(1282, 722), image.Pt(212, 120)},
		{image.Pt(240, 180), image.Pt(240, 180)},
		{image.Pt(16, 16), image.Pt(16, 16)},
		{image.Pt(2, 2), image.Pt(2, 2)},
		{image.Pt(2000, 4), image.Pt(1000, 2)},
		{image.Pt(2, 2000), image.Pt(2, 2000)},
	} {
		var s sheet
		s.add(grey(c.in.X, c.in.Y, 77))
		if got := s.thumbs[0].Rect.Size(); got != c.thumb {
			t.Errorf("%v becomes %v, want %v", c.in, got, c.thumb)
		}
		img := decodeSheet(t, &s)
		if got, want := img.Bounds().Size(), image.Pt(3*c.thumb.X, 2*c.thumb.Y); got != want {
			t.Errorf("%v: sheet of %v, want %v", c.in, got, want)
		}
	}
}

// A picture becomes smaller by averaging, in each plane, and with the padding of its rows left out.
func TestShrink(t *testing.T) {
	big := grey(484, 6, 0)
	img := big.SubImage(image.Rect(0, 0, 482, 6)).(*image.YCbCr) // three by three to one
	for y := range 6 {
		for x := range 484 {
			big.Y[y*big.YStride+x] = 255 // padding
			if x < 482 {
				big.Y[y*big.YStride+x] = byte(x % 3 * 30)
			}
		}
	}
	for i := range big.Cb {
		big.Cb[i], big.Cr[i] = 10, 200
	}
	out := shrink(img)
	want := grey(160, 2, 30)
	for i := range want.Cb {
		want.Cb[i], want.Cr[i] = 10, 200
	}
	if d := cmp.Diff(want, out); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// The track covers a film of any length in few samples.
func TestTrackIsBounded(t *testing.T) {
	for _, c := range []struct {
		length time.Duration
		least  int
	}{
		{time.Second, 5},
		{time.Minute, 299},
		{time.Hour, 250},
		{24 * time.Hour, 250},
	} {
		var tr track
		const step = 40 * time.Millisecond
		for at := time.Duration(0); at < c.length; at += step {
			tr.add(Sample{Offset: at, Boxes: []motion.Box{{}}})
			if len(tr.samples) >= maxSamples {
				t.Fatalf("%v: %d samples", at, len(tr.samples))
			}
		}
		n := len(tr.samples)
		if n < c.least {
			t.Errorf("%v: %d samples, want at least %d", c.length, n, c.least)
		}
		if first, last := tr.samples[0].Offset, tr.samples[n-1].Offset; first != 0 || last < c.length-2*tr.interval-step {
			t.Errorf("%v: samples from %v to %v", c.length, first, last)
		}
	}
}
