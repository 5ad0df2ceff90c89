// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's structures, of <linux/videodev2.h>. A zero-sized array of uintptr stands where the kernel aligns a union to
// pointers, so that one declaration is right for 32 and 64 bits.

type capability struct {
	Driver       [16]byte
	Card         [32]byte
	Bus          [32]byte
	Version      uint32
	Capabilities uint32
	DeviceCaps   uint32
	Reserved     [3]uint32
}

type fmtdesc struct {
	Index, Type, Flags uint32
	Description        [32]byte
	PixelFormat        uint32
	MbusCode           uint32
	Reserved           [3]uint32
}

type pixFormat struct {
	Width, Height, PixelFormat, Field uint32
	BytesPerLine, SizeImage           uint32
	Colorspace, Priv, Flags           uint32
	YCbCrEnc, Quantization, XferFunc  uint32
}

type format struct {
	Type uint32
	_    [0]uintptr
	Pix  pixFormat
	_    [200 - 48]byte
}

type frmsizeenum struct {
	Index, PixelFormat, Type uint32
	Sizes                    [6]uint32 // discrete: width, height; stepwise: min, max, step of both
	Reserved                 [2]uint32
}

type frmivalenum struct {
	Index, PixelFormat, Width, Height, Type uint32
	Intervals                               [6]uint32 // discrete: a fraction of a second; stepwise: min, max, step
	Reserved                                [2]uint32
}

type streamparm struct {
	Type                      uint32
	Capability, CaptureMode   uint32
	Numerator, Denominator    uint32 // of the frame interval in seconds
	ExtendedMode, ReadBuffers uint32
	_                         [200 - 24]byte
}

type requestbuffers struct {
	Count, Type, Memory, Capabilities uint32
	Flags                             uint8
	Reserved                          [3]uint8
}

type buffer struct {
	Index, Type, BytesUsed, Flags, Field uint32
	Timestamp                            unix.Timeval
	Timecode                             [4]uint32
	Sequence, Memory                     uint32
	Offset                               uintptr // of a union with a pointer
	Length, Reserved2                    uint32
	RequestFD                            int32
}

type queryctrl struct {
	ID, Type                    uint32
	Name                        [32]byte
	Minimum, Maximum, Step, Def int32
	Flags                       uint32
	Reserved                    [2]uint32
}

type control struct {
	ID    uint32
	Value int32
}

// Directions of a request, <asm-generic/ioctl.h>.
const (
	write = 1
	read  = 2
)

// request is _IOC(dir, 'V', nr, size).
func request(dir, nr, size uintptr) uintptr { return dir<<30 | size<<16 | 'V'<<8 | nr }

var (
	vidiocQueryCap  = request(read, 0, unsafe.Sizeof(capability{}))
	vidiocEnumFmt   = request(read|write, 2, unsafe.Sizeof(fmtdesc{}))
	vidiocSetFmt    = request(read|write, 5, unsafe.Sizeof(format{}))
	vidiocReqBufs   = request(read|write, 8, unsafe.Sizeof(requestbuffers{}))
	vidiocQueryBuf  = request(read|write, 9, unsafe.Sizeof(buffer{}))
	vidiocQBuf      = request(read|write, 15, unsafe.Sizeof(buffer{}))
	vidiocDQBuf     = request(read|write, 17, unsafe.Sizeof(buffer{}))
	vidiocStreamOn  = request(write, 18, 4)
	vidiocStreamOff = request(write, 19, 4)
	vidiocSetParm   = request(read|write, 22, unsafe.Sizeof(streamparm{}))
	vidiocSetCtrl   = request(read|write, 28, unsafe.Sizeof(control{}))
	vidiocQueryCtrl = request(read|write, 36, unsafe.Sizeof(queryctrl{}))
	vidiocTryFmt    = request(read|write, 64, unsafe.Sizeof(format{}))
	vidiocEnumSizes = request(read|write, 74, unsafe.Sizeof(frmsizeenum{}))
	vidiocEnumIvals = request(read|write, 75, unsafe.Sizeof(frmivalenum{}))
)

const (
	videoCapture = 1 // V4L2_BUF_TYPE_VIDEO_CAPTURE
	memoryMmap   = 1
	fieldNone    = 1

	capVideoCapture = 0x00000001
	capStreaming    = 0x04000000
	capDeviceCaps   = 0x80000000

	bufError         = 0x0040
	bufTimeMask      = 0xe000
	bufTimeMonotonic = 0x2000

	discrete = 1 // V4L2_FRMSIZE_TYPE_DISCRETE, V4L2_FRMIVAL_TYPE_DISCRETE

	colorspaceJPEG   = 7 // V4L2_COLORSPACE_JPEG: full range
	quantizationFull = 1

	ctrlDisabled = 0x0001
	ctrlNext     = 0x80000000
)

// fourcc is a pixel format's number.
func fourcc(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// fourccText is its name, with what cannot be printed as dots.
func fourccText(n uint32) string {
	b := []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n>>24) & 0x7f} // the top bit means big-endian
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '.'
		}
	}
	return string(b)
}

// text is a string of the kernel's, up to its NUL.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
