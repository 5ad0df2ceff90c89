// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nightjar-cam/nightjar/capture"
)

// The format: https://wiki.multimedia.cx/index.php/YUV4MPEG2. Tags that begin with X are extensions;
// XCOLORRANGE is the one that ffmpeg and mpv write.
const (
	y4mMagic   = "YUV4MPEG2"
	y4mMaxLine = 1024 // bytes of a header line; ffmpeg's are below 128
)

// y4m is a YUV4MPEG2 file with 8-bit 4:2:0 pictures.
type y4m struct {
	file   io.ReadSeekCloser
	r      *bufio.Reader
	first  int64 // offset of the first frame header
	header y4mHeader
}

type y4mHeader struct {
	width, height int
	rate          capture.Rate
	fullRange     bool
}

func newY4M(file io.ReadSeekCloser) (*y4m, error) {
	y := &y4m{file: file, r: bufio.NewReaderSize(file, y4mMaxLine)}
	line, err := y.line()
	if err != nil {
		return nil, fmt.Errorf("Y4M header: %w", err)
	}
	y.first = int64(len(line)) + 1
	if y.header, err = parseY4MHeader(string(line)); err != nil {
		return nil, fmt.Errorf("Y4M header: %w", err)
	}
	return y, nil
}

// line reads up to a newline, which it leaves out. The slice is valid until the next read.
func (y *y4m) line() ([]byte, error) {
	line, err := y.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("%w: line of more than %d bytes", ErrFormat, y4mMaxLine)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, ErrTruncated
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}

func parseY4MHeader(line string) (y4mHeader, error) {
	tags := strings.Split(line, " ")
	if tags[0] != y4mMagic {
		return y4mHeader{}, ErrFormat
	}
	var h y4mHeader
	for _, tag := range tags[1:] {
		if tag == "" {
			continue
		}
		if err := h.set(tag[0], tag[1:]); err != nil {
			return y4mHeader{}, fmt.Errorf("%w: %q: %w", ErrFormat, tag, err)
		}
	}
	if err := capture.CheckSize(h.width, h.height); err != nil {
		return y4mHeader{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := h.rate.Validate(); err != nil {
		return y4mHeader{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return h, nil
}

// set takes one tag of the header line, without its letter.
func (h *y4mHeader) set(letter byte, value string) (err error) {
	switch letter {
	case 'W':
		h.width, err = strconv.Atoi(value)
	case 'H':
		h.height, err = strconv.Atoi(value)
	case 'F':
		h.rate, err = parseRate(value)
	case 'I':
		if value != "p" && value != "?" {
			err = errors.New("interlaced pictures are not read")
		}
	case 'C':
		switch value {
		case "420", "420jpeg", "420mpeg2", "420paldv": // they differ in where chroma is sited, not in layout
		default:
			err = errors.New("chroma must be 8-bit 4:2:0")
		}
	case 'X':
		if value == "COLORRANGE=FULL" {
			h.fullRange = true
		}
	}
	return err
}

func parseRate(s string) (capture.Rate, error) {
	num, den, ok := strings.Cut(s, ":")
	if !ok {
		return capture.Rate{}, errors.New("want a fraction like 30:1")
	}
	n, err := strconv.ParseUint(num, 10, 32)
	if err != nil {
		return capture.Rate{}, err
	}
	d, err := strconv.ParseUint(den, 10, 32)
	if err != nil {
		return capture.Rate{}, err
	}
	return capture.Rate{Num: uint32(n), Den: uint32(d)}, nil
}

var y4mFrame = []byte("FRAME")

// Next implements capture.Film.
func (y *y4m) Next(f *capture.Frame) (bool, error) {
	line, err := y.line()
	if err != nil {
		return false, err // io.EOF between frames is the proper end
	}
	if rest, ok := bytes.CutPrefix(line, y4mFrame); !ok || len(rest) > 0 && rest[0] != ' ' {
		return false, fmt.Errorf("%w: no frame header where one must be", ErrFormat)
	}
	if f == nil {
		_, err := y.r.Discard(y.header.width * y.header.height * 3 / 2)
		return false, cutOff(err)
	}
	for _, plane := range [...][]byte{f.Y, f.Cb, f.Cr} { // a pool's planes have no padding
		if _, err := io.ReadFull(y.r, plane); err != nil {
			return false, cutOff(err)
		}
	}
	if !y.header.fullRange {
		expand(f.Y, &fullLuma)
		expand(f.Cb, &fullChroma)
		expand(f.Cr, &fullChroma)
	}
	return true, nil
}

// cutOff turns the end of the file inside a frame, which is no proper end, into ErrTruncated.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// Rewind implements capture.Film.
func (y *y4m) Rewind() error {
	if _, err := y.file.Seek(y.first, io.SeekStart); err != nil {
		return err
	}
	y.r.Reset(y.file)
	return nil
}

func (y *y4m) Close() error       { return y.file.Close() }
func (y *y4m) size() (int, int)   { return y.header.width, y.header.height }
func (y *y4m) rate() capture.Rate { return y.header.rate }

// Limited range to full range, ITU-R BT.601: luma 16..235 and chroma 16..240 become 0..255.
var fullLuma, fullChroma = rangeTable(16, 219, 0), rangeTable(128, 224, 128)

// rangeTable maps v to (v-from) × 255/span + to, rounded and clamped to 0..255.
func rangeTable(from, span, to int) (table [256]byte) {
	for v := range table {
		twice := 2*255*(v-from) + span // +1/2, on a common denominator of 2 × span
		full := twice/(2*span) + to
		if twice < 0 {
			full = (twice-2*span+1)/(2*span) + to // Go divides towards zero, rounding needs the floor
		}
		table[v] = byte(min(max(full, 0), 255))
	}
	return table
}

func expand(plane []byte, table *[256]byte) {
	for i, v := range plane {
		plane[i] = table[v]
	}
}
