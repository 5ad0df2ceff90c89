// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/nightjar-cam/nightjar/capture"
)

// aviHeader is what the header list says of the first video stream.
type aviHeader struct {
	width, height            int
	rate                     capture.Rate
	compressed, uncompressed string // ids of its chunks: its number and dc or db
}

// Sizes of the fixed parts of AVISTREAMHEADER and BITMAPINFOHEADER.
const (
	strhMin = 28 // up to dwRate
	strfMin = 20 // up to biCompression
)

// parseAVIHeader takes the contents of a header list, without its type.
func parseAVIHeader(list []byte) (aviHeader, error) {
	stream := 0
	for len(list) > 0 {
		id, body, rest, err := cut(list)
		if err != nil {
			return aviHeader{}, err
		}
		list = rest
		if id != "LIST" || len(body) < 4 || string(body[:4]) != "strl" {
			continue
		}
		h, err := parseStream(body[4:])
		if err == nil && stream > 99 {
			err = fmt.Errorf("%w: more than 100 streams", ErrFormat)
		}
		if !errors.Is(err, errOtherStream) {
			h.compressed, h.uncompressed = fmt.Sprintf("%02ddc", stream), fmt.Sprintf("%02ddb", stream)
			return h, err
		}
		stream++
	}
	return aviHeader{}, fmt.Errorf("%w: AVI without a video stream", ErrFormat)
}

// errOtherStream says that a stream is no video.
var errOtherStream = errors.New("not a video stream")

// parseStream takes the contents of a stream list: strh (what kind), then strf (format).
func parseStream(list []byte) (aviHeader, error) {
	var h aviHeader
	for seenVideo := false; len(list) > 0; {
		id, body, rest, err := cut(list)
		if err != nil {
			return h, err
		}
		list = rest
		switch {
		case id == "strh" && len(body) >= strhMin:
			if string(body[:4]) != "vids" {
				return h, errOtherStream
			}
			seenVideo = true
			h.rate = capture.Rate{Num: binary.LittleEndian.Uint32(body[24:]), Den: binary.LittleEndian.Uint32(body[20:])}
		case id == "strf" && len(body) >= strfMin && seenVideo:
			return h, h.bitmap(body)
		}
	}
	return h, fmt.Errorf("%w: AVI stream without its format", ErrFormat)
}

// bitmap takes a BITMAPINFOHEADER, the last part that is needed.
func (h *aviHeader) bitmap(b []byte) error {
	if codec := string(b[16:20]); !strings.EqualFold(codec, "MJPG") {
		return fmt.Errorf("%w: AVI with codec %q", ErrFormat, codec)
	}
	h.width = int(int32(binary.LittleEndian.Uint32(b[4:])))
	h.height = int(int32(binary.LittleEndian.Uint32(b[8:])))
	if err := capture.CheckSize(h.width, h.height); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := h.rate.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}

// cut takes the first chunk from a list in memory.
func cut(list []byte) (id string, body, rest []byte, err error) {
	if len(list) < chunkHeader {
		return "", nil, nil, fmt.Errorf("%w: AVI header with %d stray bytes", ErrFormat, len(list))
	}
	size := uint64(binary.LittleEndian.Uint32(list[4:]))
	body = list[chunkHeader:]
	if size > uint64(len(body)) {
		return "", nil, nil, fmt.Errorf("%w: AVI header chunk of %d bytes in %d", ErrFormat, size, len(body))
	}
	rest = body[min(size+size&1, uint64(len(body))):]
	return string(list[:4]), body[:size], rest, nil
}
