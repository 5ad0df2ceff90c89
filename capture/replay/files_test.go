// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/nightjar-cam/nightjar/capture/mjpeg/mjpegtest"
)

// Builders of small test files. Frame n of a film is grey, its luma is shade(n).

func shade(n int) byte { return byte(40 + 10*(n%16)) }

// chunk is a RIFF chunk; a list is a chunk whose contents begin with its type.
func chunk(id string, contents ...[]byte) []byte {
	body := bytes.Join(contents, nil)
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 != 0 {
		b = append(b, 0)
	}
	return b
}

func list(kind string, contents ...[]byte) []byte {
	return chunk("LIST", []byte(kind), bytes.Join(contents, nil))
}

func le(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// videoStream is a stream list for MJPEG of w x h at num/den frames per second.
func videoStream(w, h, num, den uint32) []byte {
	return list("strl",
		chunk("strh", []byte("vidsMJPG"), le(0, 0, 0, den, num, 0, 0, 0, 0)),
		chunk("strf", le(40, w, h, 1|24<<16), []byte("MJPG"), le(0, 0, 0, 0, 0)))
}

func audioStream() []byte {
	return list("strl", chunk("strh", []byte("auds"), make([]byte, 52)), chunk("strf", make([]byte, 18)))
}

// aviFile puts pictures into the simplest AVI there is.
func aviFile(w, h uint32, pictures ...[]byte) []byte {
	var movi [][]byte
	for _, p := range pictures {
		movi = append(movi, chunk("00dc", p))
	}
	return riff(list("hdrl", chunk("avih", make([]byte, 56)), videoStream(w, h, 10, 1)), list("movi", movi...))
}

func riff(parts ...[]byte) []byte {
	return chunk("RIFF", []byte("AVI "), bytes.Join(parts, nil))
}

// aviFilm is a film of n frames in 4:2:0, with an index and an audio chunk between the pictures.
func aviFilm(tb testing.TB, w, h, n int) []byte {
	tb.Helper()
	var movi [][]byte
	for i := range n {
		movi = append(movi,
			chunk("01wb", []byte("sound")),
			chunk("00dc", mjpegtest.Encode(tb, mjpegtest.Grey(w, h, image.YCbCrSubsampleRatio420, shade(i)))))
	}
	return riff(
		list("hdrl", chunk("avih", make([]byte, 56)), videoStream(uint32(w), uint32(h), 10, 1), audioStream()),
		list("movi", movi...),
		chunk("idx1", make([]byte, 16*n)))
}

// y4mFilm is a film of n frames behind a header with the given tags.
func y4mFilm(w, h, n int, tags string) []byte {
	b := fmt.Appendf(nil, "YUV4MPEG2 W%d H%d F10:1%s\n", w, h, tags)
	for i := range n {
		img := mjpegtest.Grey(w, h, image.YCbCrSubsampleRatio420, shade(i))
		b = append(b, "FRAME\n"...)
		b = append(append(append(b, img.Y...), img.Cb...), img.Cr...)
	}
	return b
}

// save writes a file for this test.
func save(tb testing.TB, contents []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "film")
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// memory is a file in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func inMemory(b []byte) memory { return memory{bytes.NewReader(b)} }
