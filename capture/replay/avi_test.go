// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/mjpeg/mjpegtest"
)

func TestAVIFiles(t *testing.T) {
	picture := func(n int) []byte {
		return mjpegtest.Encode(t, mjpegtest.Grey(16, 16, image.YCbCrSubsampleRatio420, shade(n)))
	}
	header := list("hdrl", chunk("avih", make([]byte, 56)), videoStream(16, 16, 10, 1))
	plain := aviFile(16, 16, picture(0), picture(1))

	unfinished := bytes.Clone(plain) // a writer that lost power never filled in these sizes
	binary.LittleEndian.PutUint32(unfinished[4:], 0xffffffff)
	binary.LittleEndian.PutUint32(unfinished[bytes.Index(unfinished, []byte("movi"))-4:], 4)

	huge := aviFile(16, 16, picture(0))
	binary.LittleEndian.PutUint32(huge[bytes.Index(huge, []byte("00dc"))+4:], 1<<30)

	tests := []struct {
		name     string
		contents []byte
		want     []int // frames
		err      error
	}{
		{"plain", plain, []int{0, 1}, nil},
		{"audio first", riff(
			list("hdrl", audioStream(), videoStream(16, 16, 10, 1)),
			list("movi", chunk("00wb", []byte("odd")), chunk("01dc", picture(3)))), []int{3}, nil},
		{"records and junk", riff(chunk("JUNK", []byte("x")), header,
			list("INFO", chunk("ISFT", []byte("writer"))),
			list("movi", list("rec ", chunk("00db", picture(2))), chunk("JUNK", nil), chunk("00dc", picture(4)))), []int{2, 4}, nil},
		{"two RIFFs", append(aviFile(16, 16, picture(0)),
			chunk("RIFF", []byte("AVIX"), list("movi", chunk("00dc", picture(1))))...), []int{0, 1}, nil},
		{"dropped frame", aviFile(16, 16, picture(0), nil, picture(2)), []int{0, 2}, nil},
		{"no Huffman tables", aviFile(16, 16, mjpegtest.WithoutTables(picture(5))), []int{5}, nil},
		{"lost power", unfinished, []int{0, 1}, nil},
		{"cut in a picture", plain[:len(plain)-9], []int{0}, ErrTruncated},
		{"cut in a chunk header", append(bytes.Clone(plain), "00d"...), []int{0, 1}, ErrTruncated},
		{"1 GiB picture", huge, nil, ErrTruncated},
		{"list without type", append(bytes.Clone(plain), "LIST\x00\x00\x00\x00"...), []int{0, 1}, ErrFormat},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := newAVI(inMemory(test.contents), int64(len(test.contents)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := lumas(a)
			if !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			var want []byte
			for _, n := range test.want {
				want = append(want, shade(n))
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got frames %v, want %v", got, want)
			}
		})
	}
}

func TestAVIHeaderRefused(t *testing.T) {
	stream := func(w, h, num, den uint32) []byte { return riff(list("hdrl", videoStream(w, h, num, den))) }
	h264 := bytes.ReplaceAll(stream(16, 16, 10, 1), []byte("MJPG"), []byte("H264"))
	long := stream(16, 16, 10, 1)
	binary.LittleEndian.PutUint32(long[bytes.Index(long, []byte("strf"))+4:], 1<<31)
	tests := map[string]struct {
		contents []byte
		reason   string
	}{
		"no header list":       {riff(list("movi")), "without a header list"},
		"no stream":            {riff(list("hdrl")), "without a video stream"},
		"audio only":           {riff(list("hdrl", audioStream())), "without a video stream"},
		"other codec":          {h264, `"H264"`},
		"odd size":             {stream(15, 16, 10, 1), "15x16"},
		"upside down":          {stream(16, 1<<32-16, 10, 1), "16x-16"},
		"too large":            {stream(1<<20, 1<<20, 10, 1), "pixels"},
		"no rate":              {stream(16, 16, 10, 0), "frame rate"},
		"stream header only":   {riff(list("hdrl", list("strl", chunk("strh", []byte("vids"), make([]byte, 44))))), "without its format"},
		"chunk beyond its end": {long, "header chunk"},
		"stray bytes":          {riff(list("hdrl", []byte("strl"))), "stray"},
		"huge header":          {riff(list("hdrl", make([]byte, aviMaxHeader))), "header list of"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newAVI(inMemory(test.contents), int64(len(test.contents)))
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want ErrFormat with %q", err, test.reason)
			}
		})
	}
}

func TestAVIPacketBound(t *testing.T) {
	data := aviFile(16, 16, make([]byte, aviMaxPacket+1))
	a, err := newAVI(inMemory(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lumas(a); !errors.Is(err, ErrFormat) || a.packet != nil {
		t.Errorf("got %v and %d bytes allocated, want ErrFormat and none", err, cap(a.packet))
	}
}

func FuzzAVI(f *testing.F) {
	f.Add(aviFilm(f, 16, 16, 2))
	f.Add(aviFile(16, 16, nil, mjpegtest.WithoutTables(mjpegtest.Encode(f, mjpegtest.Grey(16, 16, image.YCbCrSubsampleRatio420, 9)))))
	f.Add(aviFile(8, 8)[:70])
	f.Add(riff(list("hdrl", audioStream(), videoStream(2, 2, 30000, 1001)), list("movi", list("rec ", chunk("01db", []byte{0xff, 0xd8, 0xff})))))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := newAVI(inMemory(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) {
				t.Errorf("unnamed error %v", err)
			}
			return
		}
		if w, h := a.size(); capture.CheckSize(w, h) != nil || w*h > 1<<16 {
			return // a valid header for a large picture: the memory is the pool's, not the parser's
		}
		if got, _ := lumas(a); len(got)*chunkHeader > len(data) {
			t.Errorf("%d frames from %d bytes", len(got), len(data))
		}
	})
}
