// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/mjpeg"
)

// The format: Microsoft's AVI RIFF File Reference, and the OpenDML extensions for files of several RIFFs.
const (
	aviMaxHeader = 1 << 20  // bytes of the header list; ffmpeg writes 5 KB
	aviMaxPacket = 16 << 20 // bytes of one JPEG picture
	chunkHeader  = 8        // fourcc and size
)

// avi is an AVI file whose first video stream is Motion JPEG.
//
// The pictures are found by walking over the chunks of the file: the index repeats what the chunks say,
// is often absent, and is never there after a power cut.
type avi struct {
	file    reader
	end     int64 // size of the file
	next    int64 // offset of the next chunk
	first   int64 // offset of the first chunk behind the headers
	header  aviHeader
	head    [12]byte // scratch: an array on the stack would escape into ReadAt
	packet  []byte   // scratch for one picture, grows to the largest
	decoder mjpeg.Decoder
}

type reader interface {
	io.ReaderAt
	io.Closer
}

// newAVI reads the headers of a file of the given size that begins with RIFF....AVI.
func newAVI(file reader, size int64) (*avi, error) {
	a := &avi{file: file, end: size, next: 12}
	for {
		id, n, err := a.chunk()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: AVI without a header list", ErrFormat)
		}
		if err != nil {
			return nil, err
		}
		if id != "LIST" || string(a.head[8:]) != "hdrl" {
			a.skip(n)
			continue
		}
		if n > aviMaxHeader {
			return nil, fmt.Errorf("%w: AVI header list of %d bytes", ErrFormat, n)
		}
		list := make([]byte, n-4) // chunk has seen the list's type
		if err := a.readAt(list, a.next+4); err != nil {
			return nil, err
		}
		a.skip(n)
		a.first = a.next
		a.header, err = parseAVIHeader(list)
		return a, err
	}
}

// chunk reads the chunk header at a.next and moves behind it. A list or RIFF is at least 4 bytes long,
// and its type is in a.head[8:].
func (a *avi) chunk() (id string, size int64, err error) {
	if a.next >= a.end {
		return "", 0, io.EOF
	}
	n, err := a.file.ReadAt(a.head[:], a.next)
	if n < chunkHeader {
		return "", 0, cutOff(err)
	}
	a.next += chunkHeader
	size = int64(binary.LittleEndian.Uint32(a.head[4:]))
	switch id = string(a.head[:4]); id {
	case "LIST", "RIFF":
		if size < 4 || n < len(a.head) {
			return "", 0, fmt.Errorf("%w: AVI list without a type at offset %d", ErrFormat, a.next-chunkHeader)
		}
	}
	return id, size, nil
}

// readAt fills b; io.EOF that comes along with the last byte of the file is no error.
func (a *avi) readAt(b []byte, at int64) error {
	if n, err := a.file.ReadAt(b, at); n < len(b) {
		return cutOff(err)
	}
	return nil
}

// skip moves over the contents of a chunk; they are padded to an even length.
func (a *avi) skip(size int64) { a.next += size + size&1 }

// Next implements capture.Film.
func (a *avi) Next(f *capture.Frame) (bool, error) {
	for {
		id, size, err := a.chunk()
		if err != nil {
			return false, err
		}
		switch {
		case id == "RIFF", id == "LIST" && (string(a.head[8:]) == "movi" || string(a.head[8:]) == "rec "):
			// Go in. A list's own size is not used: it is 0 in a file whose writer lost power.
			a.next += 4
		case id == a.header.compressed, id == a.header.uncompressed:
			return a.picture(f, size)
		default:
			a.skip(size)
		}
	}
}

// picture draws the JPEG of the given size at a.next. An empty one stands for a frame that the writer of
// the file dropped.
func (a *avi) picture(f *capture.Frame, size int64) (bool, error) {
	if size > a.end-a.next {
		return false, ErrTruncated
	}
	if size > aviMaxPacket {
		return false, fmt.Errorf("%w: picture of %d bytes", ErrFormat, size)
	}
	at := a.next
	a.skip(size)
	if f == nil || size == 0 {
		return false, nil
	}
	if int64(cap(a.packet)) < size {
		a.packet = make([]byte, size)
	}
	a.packet = a.packet[:size]
	if err := a.readAt(a.packet, at); err != nil {
		return false, err
	}
	if err := a.decoder.Decode(f, a.packet); err != nil {
		return false, fmt.Errorf("decode picture: %w", err)
	}
	return true, nil
}

// Rewind implements capture.Film.
func (a *avi) Rewind() error {
	a.next = a.first
	return nil
}

func (a *avi) Close() error       { return a.file.Close() }
func (a *avi) size() (int, int)   { return a.header.width, a.header.height }
func (a *avi) rate() capture.Rate { return a.header.rate }
