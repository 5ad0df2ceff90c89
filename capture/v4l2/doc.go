// SPDX-License-Identifier: Apache-2.0

// Package v4l2 reads cameras through Video4Linux2: USB cameras, and whatever else the kernel gives a picture for. Start with
// [New], whose driver is registered as the others are, and [List], which says what cameras there are.
//
// The driver asks for what costs least: I420 or NV12, whose luma the detector reads in the device's own buffers, then YUYV,
// which is unpacked once, then Motion JPEG. Numbers and times of frames are those of the kernel. Sizes of structures and
// numbers of requests are those of <linux/videodev2.h> for 64-bit and for 32-bit processors with 32-bit time.
//
// Raw Bayer pictures, which CSI cameras of a Raspberry Pi give here, are refused: read those through package rpicam.
package v4l2
