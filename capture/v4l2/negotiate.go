// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/capture"
)

// mode is what a device was set to.
type mode struct {
	layout layout
	pix    pixFormat
	rate   float64
}

// identify asks a node what it is, and refuses one that gives no pictures.
func identify(d device) (capability, error) {
	var c capability
	if err := d.ioctl(vidiocQueryCap, unsafe.Pointer(&c)); err != nil {
		return c, fmt.Errorf("ask what it is: %w", err)
	}
	caps := c.Capabilities
	if caps&capDeviceCaps != 0 { // those of this node, and not of all nodes of the device
		caps = c.DeviceCaps
	}
	if caps&capVideoCapture == 0 || caps&capStreaming == 0 {
		return c, fmt.Errorf("%q gives no pictures here: it may have another node that does", text(c.Card[:]))
	}
	return c, nil
}

// maxEnumerated bounds what a driver can list of anything: vivid has 83 formats.
const maxEnumerated = 512

// formats lists the device's pixel formats in its own order.
func formats(d device) (all []uint32) {
	for i := range uint32(maxEnumerated) {
		f := fmtdesc{Index: i, Type: videoCapture}
		if d.ioctl(vidiocEnumFmt, unsafe.Pointer(&f)) != nil {
			break
		}
		all = append(all, f.PixelFormat)
	}
	return all
}

// try asks what the driver would make of a size.
func try(d device, request uintptr, pixel uint32, width, height int) (pixFormat, error) {
	f := format{Type: videoCapture, Pix: pixFormat{Width: uint32(width), Height: uint32(height), PixelFormat: pixel, Field: fieldNone}}
	if err := d.ioctl(request, unsafe.Pointer(&f)); err != nil {
		return pixFormat{}, err
	}
	return f.Pix, nil
}

// rate returns the lowest rate of a format and size that is at least want, or the highest there is; want where the driver
// does not say.
func rate(d device, pix pixFormat, want float64) float64 {
	above, most := 0.0, 0.0
	consider := func(r float64) {
		most = max(most, r)
		if r >= want-0.01 && (above == 0 || r < above) { // 29.97 is as good as 30
			above = r
		}
	}
	for i := range uint32(maxEnumerated) {
		v := frmivalenum{Index: i, PixelFormat: pix.PixelFormat, Width: pix.Width, Height: pix.Height}
		if d.ioctl(vidiocEnumIvals, unsafe.Pointer(&v)) != nil {
			break
		}
		n := v.Intervals
		if n[0] == 0 || v.Type != discrete && n[2] == 0 {
			continue
		}
		shortest := float64(n[1]) / float64(n[0])
		if v.Type == discrete {
			consider(shortest)
			continue
		}
		consider(min(shortest, max(want, float64(n[3])/float64(n[2])))) // any between
	}
	switch {
	case above > 0:
		return above
	case most > 0:
		return most
	}
	return want
}

// candidate is a layout that a device has.
type candidate struct {
	layout layout
	off    int     // pixels that its size differs by
	late   float64 // frames a second that it is too slow by
}

// negotiate sets the device to what costs least among what was asked for, or, where there is no such thing, to what is nearest.
func negotiate(d device, cfg Config) (mode, error) {
	has := formats(d)
	var best *candidate
	for _, l := range layouts { // cheapest first: a later one has to be better
		if !slices.Contains(has, fourcc(l.name)) {
			continue
		}
		pix, err := try(d, vidiocTryFmt, fourcc(l.name), cfg.Width, cfg.Height)
		if err != nil || pix.PixelFormat != fourcc(l.name) {
			continue
		}
		c := candidate{
			layout: l,
			off:    abs(int(pix.Width)-cfg.Width) + abs(int(pix.Height)-cfg.Height),
			late:   max(0, cfg.Rate-rate(d, pix, cfg.Rate)-0.01),
		}
		if best == nil || cmp.Or(cmp.Compare(c.off, best.off), cmp.Compare(c.late, best.late)) < 0 {
			best = &c
		}
	}
	if best == nil {
		return mode{}, noLayout(has)
	}
	return set(d, best.layout, cfg)
}

func noLayout(has []uint32) error {
	var names []string
	for _, f := range has {
		names = append(names, fourccText(f))
	}
	for _, n := range names {
		if strings.HasPrefix(n, "pB") || strings.HasPrefix(n, "BA") || strings.HasPrefix(n, "BG") || strings.HasPrefix(n, "RG1") {
			return fmt.Errorf("it gives raw sensor data only (%s): this is a camera on a ribbon cable; use source: rpicam", strings.Join(names, " "))
		}
	}
	return fmt.Errorf("it gives none of YU12, NV12, YUYV, UYVY and MJPG, but %q", names)
}

// set sets format and rate, and takes what the driver made of it.
func set(d device, l layout, cfg Config) (mode, error) {
	pix, err := try(d, vidiocSetFmt, fourcc(l.name), cfg.Width, cfg.Height)
	if err != nil {
		if errors.Is(err, unix.EBUSY) {
			return mode{}, fmt.Errorf("set picture: %w: another program uses the camera; end it", err)
		}
		return mode{}, fmt.Errorf("set picture: %w", err)
	}
	w, h := int(pix.Width), int(pix.Height)
	if pix.PixelFormat != fourcc(l.name) {
		return mode{}, fmt.Errorf("set picture: the driver gives %s and not %s, which it lists", fourccText(pix.PixelFormat), l.name)
	}
	if err := capture.CheckSize(w, h); err != nil {
		return mode{}, fmt.Errorf("set picture: the driver gives another size than %dx%d: %w", cfg.Width, cfg.Height, err)
	}
	if l.least != nil {
		if pix.BytesPerLine == 0 {
			pix.BytesPerLine = uint32(l.least(w))
		}
		if stride := int(pix.BytesPerLine); stride < l.least(w) || stride > 1<<20 || l.size(stride, h) > 1<<30 {
			return mode{}, fmt.Errorf("set picture: the driver says rows of %d bytes for %d pixels", stride, w)
		}
	}
	m := mode{layout: l, pix: pix, rate: rate(d, pix, cfg.Rate)}
	const precision = 1000
	p := streamparm{Type: videoCapture, Numerator: precision, Denominator: uint32(m.rate*precision + 0.5)}
	if d.ioctl(vidiocSetParm, unsafe.Pointer(&p)) == nil && p.Numerator > 0 && p.Denominator > 0 { // not all drivers can
		m.rate = float64(p.Denominator) / float64(p.Numerator)
	}
	return m, nil
}

// levels returns how the samples of a mode become full range.
func (m mode) levels() *levels {
	if m.layout.name == "MJPG" || m.pix.Quantization == quantizationFull || m.pix.Quantization == 0 && m.pix.Colorspace == colorspaceJPEG {
		return nil
	}
	return limited
}

func abs(n int) int { return max(n, -n) }
