// SPDX-License-Identifier: Apache-2.0

// Package rpicam is the camera on the ribbon cable (CSI) of a Raspberry Pi. Current Raspberry Pi OS gives no picture of it
// through V4L2, so the driver runs one rpicam-vid and reads its frames from a pipe. Start with [New], register the driver with
// capture.Register, and read it through capture.Open; [List] tells which cameras there are.
//
// It was written against the source of rpicam-apps 1.4.0 to 1.13.0 and of libcamera to 0.7.1, and is tested against a program
// that speaks their formats. It was not run on a board. What it relies on:
//
//   - --codec yuv420 writes each picture's whole buffer: Y, Cb, Cr, each row as long as the stride. The stride is a multiple of
//     32 or 64 on a Pi 0 to 4 and of 128 on a Pi 5, so the width has to be a multiple of 128: then there is no padding anywhere.
//     The colour space is sYCC, full range, which is what a [capture.Frame] has.
//   - --flush pushes out the end of each picture; without it the rest stays in stdio until the next.
//   - The buffer of a picture goes back to the camera before it is written: after some five frames' time without a reader the
//     pipe gets torn pictures. So a goroutine of the driver reads always, and drops what nobody has room for.
//   - --metadata FILE --metadata-format txt writes a record for each picture, behind it: lines of Name=value, then an empty one.
//     FILE is a pipe, /dev/fd/3. A record that does not come, or pictures that get older and older, mean frames of another size.
//   - SIGTERM ends it at once; SIGINT waits for the next frame, which may never come.
//   - It cannot give H.264 and a small picture at the same time: the low-resolution stream reaches post-processing stages only,
//     which are shared libraries of one version's C++ interface. So raw pictures of the clip's size come through the pipe, the
//     detector looks at the luma in place, and the clip is encoded here.
package rpicam
