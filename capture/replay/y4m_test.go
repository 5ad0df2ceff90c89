// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
)

func TestParseY4MHeader(t *testing.T) {
	tests := []struct {
		line string
		want y4mHeader // zero: refused
	}{
		{"YUV4MPEG2 W64 H32 F30:1", y4mHeader{64, 32, capture.Rate{Num: 30, Den: 1}, false}},
		{"YUV4MPEG2 H2 W2 F30000:1001 Ip A0:0 C420paldv XYSCSS=420PALDV", y4mHeader{2, 2, capture.Rate{Num: 30000, Den: 1001}, false}},
		{"YUV4MPEG2 W2 H2 F10:1 I? C420mpeg2 XCOLORRANGE=FULL", y4mHeader{2, 2, capture.Rate{Num: 10, Den: 1}, true}},
		{"YUV4MPEG2", y4mHeader{}},
		{"YUV4MPEG22 W2 H2 F10:1", y4mHeader{}},
		{"YUV4MPEG2 W2 H2", y4mHeader{}},
		{"YUV4MPEG2 W2 H2 F0:1", y4mHeader{}},
		{"YUV4MPEG2 W2 H2 F10", y4mHeader{}},
		{"YUV4MPEG2 W2 H2 F-10:1", y4mHeader{}},
		{"YUV4MPEG2 W2 H2 F10:1 C422", y4mHeader{}},
		{"YUV4MPEG2 W2 H2 F10:1 C420p10", y4mHeader{}},
		{"YUV4MPEG2 W2 H2 F10:1 It", y4mHeader{}},
		{"YUV4MPEG2 W3 H2 F10:1", y4mHeader{}},
		{"YUV4MPEG2 W-2 H2 F10:1", y4mHeader{}},
		{"YUV4MPEG2 W100000 H100000 F10:1", y4mHeader{}},
		{"YUV4MPEG2 W99999999999999999999 H2 F10:1", y4mHeader{}},
	}
	for _, test := range tests {
		got, err := parseY4MHeader(test.line)
		if got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.line, got, test.want)
		}
		if refused := test.want == (y4mHeader{}); refused != errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", test.line, err)
		}
	}
}

func TestY4MFrames(t *testing.T) {
	full := y4mFilm(4, 2, 3, " XCOLORRANGE=FULL")
	withTags := bytes.Replace(full, []byte("FRAME\n"), []byte("FRAME Ip XSOME\n"), 1)
	tests := []struct {
		name     string
		contents []byte
		want     int // frames
		err      error
	}{
		{"whole", full, 3, nil},
		{"frame with tags", withTags, 3, nil},
		{"header only", y4mFilm(4, 2, 0, ""), 0, nil},
		{"cut in a picture", full[:len(full)-1], 2, ErrTruncated},
		{"cut at a picture", full[:len(full)-4*2*3/2], 2, ErrTruncated},
		{"cut in a frame header", full[:len(full)-4*2*3/2-3], 2, ErrTruncated},
		{"garbage between frames", bytes.Replace(full, []byte("FRAME\n"), []byte("FRAMES\n"), 1), 0, ErrFormat},
		{"endless frame header", append(bytes.Clone(full), strings.Repeat("F", 2*y4mMaxLine)...), 3, ErrFormat},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y, err := newY4M(inMemory(test.contents))
			if err != nil {
				t.Fatal(err)
			}
			got, err := lumas(y)
			if !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			if want := []byte{shade(0), shade(1), shade(2)}[:test.want]; !bytes.Equal(got, want) {
				t.Errorf("got frames %v, want %v", got, want)
			}
		})
	}
}

func TestY4MEndlessHeader(t *testing.T) {
	if _, err := newY4M(inMemory([]byte(y4mMagic + strings.Repeat(" X", 1<<20)))); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
}

func TestY4MSkipAndRewind(t *testing.T) {
	y, err := newY4M(inMemory(y4mFilm(4, 2, 3, " XCOLORRANGE=FULL")))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := y.Next(nil); err != nil {
			t.Fatal(err)
		}
		if got, err := lumas(y); err != nil || !bytes.Equal(got, []byte{shade(1), shade(2)}) {
			t.Errorf("got %v, %v behind the frame that was passed over", got, err)
		}
		if err := y.Rewind(); err != nil {
			t.Fatal(err)
		}
	}
}

// The tables against the formula in floating point.
func TestRangeTables(t *testing.T) {
	for v := range 256 {
		luma := math.Min(math.Max(math.Floor(float64(v-16)*255/219+0.5), 0), 255)
		chroma := math.Min(math.Max(math.Floor(float64(v-128)*255/224+0.5)+128, 0), 255)
		if fullLuma[v] != byte(luma) || fullChroma[v] != byte(chroma) {
			t.Errorf("%d: luma %d, chroma %d, want %g, %g", v, fullLuma[v], fullChroma[v], luma, chroma)
		}
	}
}

func TestY4MExpandsLimitedRange(t *testing.T) {
	y, err := newY4M(inMemory(y4mFilm(4, 2, 1, "")))
	if err != nil {
		t.Fatal(err)
	}
	f, _ := capture.NewPool(4, 2, 1).Get()
	if _, err := y.Next(f); err != nil {
		t.Fatal(err)
	}
	if got, want := [3]byte{f.Y[7], f.Cb[1], f.Cr[1]}, [3]byte{fullLuma[shade(0)], fullChroma[100], fullChroma[160]}; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzY4M(f *testing.F) {
	f.Add(y4mFilm(4, 2, 2, " C420jpeg Ip A1:1 XCOLORRANGE=LIMITED"))
	f.Add(y4mFilm(2, 2, 1, "")[:30])
	f.Add([]byte("YUV4MPEG2 W100000 H100000 F1:1\nFRAME\n"))
	f.Add([]byte("YUV4MPEG2 W2 H2 F1:1\nFRAME Ixyz\n123456FRAME"))
	f.Fuzz(func(t *testing.T, data []byte) {
		y, err := newY4M(inMemory(data))
		if err != nil {
			return
		}
		if w, h := y.size(); w*h > 1<<16 {
			return // a valid header for a large picture: the memory is the pool's, not the parser's
		}
		got, err := lumas(y)
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) {
			t.Errorf("unnamed error %v", err)
		}
		w, h := y.size()
		if len(got)*w*h*3/2 > len(data) {
			t.Errorf("%d frames of %dx%d from %d bytes", len(got), w, h, len(data))
		}
	})
}
