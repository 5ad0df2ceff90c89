// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/pion/mediadevices/pkg/driver"
	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/capturetest"
)

// The numbers are those that strace shows for any V4L2 program; they hold the structures' sizes.
func TestRequests(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 8 {
		for name, row := range map[string][2]uintptr{
			"QUERYCAP": {vidiocQueryCap, 0x80685600}, "ENUM_FMT": {vidiocEnumFmt, 0xc0405602}, "S_FMT": {vidiocSetFmt, 0xc0d05605},
			"REQBUFS": {vidiocReqBufs, 0xc0145608}, "QUERYBUF": {vidiocQueryBuf, 0xc0585609}, "QBUF": {vidiocQBuf, 0xc058560f},
			"DQBUF": {vidiocDQBuf, 0xc0585611}, "STREAMON": {vidiocStreamOn, 0x40045612}, "STREAMOFF": {vidiocStreamOff, 0x40045613},
			"S_PARM": {vidiocSetParm, 0xc0cc5616}, "S_CTRL": {vidiocSetCtrl, 0xc008561c}, "QUERYCTRL": {vidiocQueryCtrl, 0xc0445624},
			"TRY_FMT": {vidiocTryFmt, 0xc0d05640}, "ENUM_FRAMESIZES": {vidiocEnumSizes, 0xc02c564a}, "ENUM_FRAMEINTERVALS": {vidiocEnumIvals, 0xc034564b},
		} {
			if row[0] != row[1] {
				t.Errorf("VIDIOC_%s is %#x, want %#x", name, row[0], row[1])
			}
		}
		return
	}
	if vidiocSetFmt != 0xc0cc5605 || vidiocQueryBuf != 0xc0445609 {
		t.Errorf("on %s: S_FMT %#x, QUERYBUF %#x", runtime.GOARCH, vidiocSetFmt, vidiocQueryBuf)
	}
}

func TestConformance(t *testing.T) {
	for _, name := range []string{"YU12", "NV12", "YUYV", "UYVY"} {
		t.Run(name, func(t *testing.T) {
			capturetest.RunLive(t, func(o capturetest.Options) (driver.Adapter, error) {
				cfg := small()
				cfg.Frames, cfg.Buffers = o.Frames, o.Frames
				return driverOf(t, cfg, func() *fake { return newFake(offer{name: name, rates: []float64{50}, stride: 16}) }), nil
			})
		})
	}
}

// Neither a copy nor an allocation on the way to the detector: the luma is the device's own buffer.
func TestZeroAllocsAndCopies(t *testing.T) {
	for _, name := range []string{"YU12", "NV12", "YUYV"} {
		var k *fake
		d := driverOf(t, Config{Width: 32, Height: 16, Rate: 200}, func() *fake {
			k = newFake(offer{name: name, rates: []float64{200}})
			return k
		})
		r := start(t, d)
		next := func() *capture.Frame {
			img, _, err := r.Read()
			if err != nil {
				t.Fatal(err)
			}
			return img.(*capture.Frame)
		}
		f := next()
		own := false
		for _, b := range k.buffers {
			own = own || &b[0] == &f.Y[0]
		}
		f.Release()
		if want := name != "YUYV"; own != want {
			t.Errorf("%s: the luma lies in the device's buffer: %v", name, own)
		}
		if n := testing.AllocsPerRun(50, func() { next().Release() }); n != 0 {
			t.Errorf("%s: %g allocations a frame", name, n)
		}
		d.Close()
	}
}

func start(t testing.TB, d *Driver) capture.Reader {
	t.Helper()
	if err := d.Open(); err != nil {
		t.Fatal(err)
	}
	r, err := d.VideoRecord(d.Properties()[0])
	if err != nil {
		t.Fatal(err)
	}
	return r.(capture.Reader)
}

func TestNegotiation(t *testing.T) {
	all := []float64{5, 15, 30}
	for name, row := range map[string]struct {
		offers []offer
		format string
		w, h   int
		rate   float64
	}{
		"cheapest":                     {[]offer{{name: "YUYV", rates: all}, {name: "MJPG", rates: all}, {name: "YU12", rates: all}}, "YU12", 64, 32, 15},
		"fast enough before cheap":     {[]offer{{name: "YUYV", rates: []float64{5}}, {name: "MJPG", rates: all}}, "MJPG", 64, 32, 15},
		"right size before cheap":      {[]offer{{name: "YU12", w: 320, h: 240, rates: all}, {name: "YUYV", rates: all}}, "YUYV", 64, 32, 15},
		"size before rate":             {[]offer{{name: "YU12", w: 320, h: 240, rates: all}, {name: "YUYV", rates: []float64{5}}}, "YUYV", 64, 32, 5},
		"nearest size":                 {[]offer{{name: "YU12", w: 640, h: 480, rates: all}, {name: "NV12", w: 128, h: 96, rates: all}}, "NV12", 128, 96, 15},
		"lowest rate that will do":     {[]offer{{name: "NV12", rates: []float64{60, 30, 20}}}, "NV12", 64, 32, 20},
		"fastest where none will":      {[]offer{{name: "NV12", rates: []float64{3, 12, 5}}}, "NV12", 64, 32, 12},
		"as asked, if it does not say": {[]offer{{name: "NV12"}}, "NV12", 64, 32, 15},
		"NTSC's rate":                  {[]offer{{name: "NV12", rates: []float64{14.995, 60}}}, "NV12", 64, 32, 14.995},
	} {
		m, err := negotiate(newFake(row.offers...), Config{Width: 64, Height: 32, Rate: 15})
		if err != nil || m.layout.name != row.format || int(m.pix.Width) != row.w || int(m.pix.Height) != row.h || m.rate < row.rate-0.01 || m.rate > row.rate+0.01 {
			t.Errorf("%s: %s %dx%d at %g, %v", name, m.layout.name, m.pix.Width, m.pix.Height, m.rate, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		fake *fake
		want string
	}{
		"raw sensor":       {newFake(offer{name: "pBAA"}, offer{name: "BG10"}), "source: rpicam"},
		"none that we can": {newFake(offer{name: "H264"}), "none of YU12"},
		"no capture":       {&fake{caps: capStreaming, card: "out"}, "no pictures here"},
		"odd size":         {newFake(offer{name: "YU12", w: 33, h: 15}), "must be positive and even"},
	} {
		row.fake.woken = make(chan struct{})
		err := driverOf(t, small(), func() *fake { return row.fake }).Open()
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
		if row.fake.closed != 1 {
			t.Errorf("%s: closed %d times", name, row.fake.closed)
		}
	}
}

func TestDriverThatGivesShortRows(t *testing.T) {
	k := newFake(offer{name: "YU12", stride: -8})
	if err := driverOf(t, small(), func() *fake { return k }).Open(); err == nil || !strings.Contains(err.Error(), "rows of 24 bytes") {
		t.Errorf("%v", err)
	}
}

// What is broken is left out, and the numbers say so.
func TestBrokenPictures(t *testing.T) {
	k := newFake(offer{name: "YU12", rates: []float64{100}})
	k.spoil = func(b *buffer) {
		switch b.Sequence {
		case 1, 2:
			b.Flags |= bufError
		case 4:
			b.BytesUsed = 10
		}
	}
	d := driverOf(t, small(), func() *fake { return k })
	r := start(t, d)
	defer d.Close()
	for _, want := range []uint64{0, 3, 5} {
		img, release, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f := img.(*capture.Frame); f.Seq != want {
			t.Errorf("frame %d, want %d", f.Seq, want)
		}
		release()
	}
}

func TestUnplugged(t *testing.T) {
	for name, row := range map[string]struct {
		happens func(*fake)
		gone    bool
	}{
		"no device":     {func(k *fake) { k.gone = true }, true},
		"an error once": {func(k *fake) { k.fails = unix.EIO }, false},
	} {
		k := newFake(offer{name: "YU12", rates: []float64{100}})
		d := driverOf(t, small(), func() *fake { return k })
		r := start(t, d)
		img, release, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		row.happens(k)
		k.mu.Unlock()
		_, _, err = r.Read()
		for err == nil {
			_, _, err = r.Read()
		}
		if errors.Is(err, capture.ErrGone) != row.gone {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
		if img.(*capture.Frame).Y[0] != shade(0) || k.mapped == 0 {
			t.Errorf("%s: a frame that is held lost its memory", name)
		}
		release()
		if k.mapped != 0 || k.closed != 1 {
			t.Errorf("%s: %d mappings left, closed %d times", name, k.mapped, k.closed)
		}
	}
}

// The last frame on loan comes back while Close waits for a Read: nothing may be unmapped under it.
func TestLastReleaseDuringClose(t *testing.T) {
	k := newFake(offer{name: "YU12", rates: []float64{100}})
	d := driverOf(t, small(), func() *fake { return k })
	r := start(t, d).(*reader)
	_, release, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	r.reading.Lock() // as a Read has it
	closed := make(chan error)
	go func() { closed <- d.Close() }()
	for !r.isClosed() {
		runtime.Gosched()
	}
	release()
	if k.mu.Lock(); k.mapped == 0 {
		t.Error("unmapped under a Read")
	}
	k.mu.Unlock()
	r.reading.Unlock()
	if err := <-closed; err != nil || k.mapped != 0 {
		t.Errorf("%v, %d mappings left", err, k.mapped)
	}
}

// Sequence numbers have 32 bits; ours go on.
func TestSequenceWraps(t *testing.T) {
	r := &reader{opened: capture.NewOpening(nil)}
	var got []uint64
	for _, n := range []uint32{1<<32 - 2, 1<<32 - 1, 0, 3, 3, 1} { // once a repetition, once a beginning anew
		r.taken.Sequence = n
		r.stamp()
		got = append(got, r.seq)
	}
	for i, want := range []uint64{0, 1, 2, 5, 6, 7} {
		if got[i] != want {
			t.Errorf("buffer %d is frame %d, want %d", i, got[i], want)
		}
	}
}

func TestPick(t *testing.T) {
	all := []Camera{{Path: "/dev/video0", Name: "unicam", Trouble: "raw"}, {Path: "/dev/video2", Name: "USB Camera"}, {Path: "/dev/video4", Name: "Other"}}
	for want, path := range map[string]string{"": "/dev/video2", "Other": "/dev/video4", "unicam": "/dev/video0", "none": ""} {
		if got, err := pick(all, want); got != path || (err != nil) != (path == "") {
			t.Errorf("%q: %q, %v", want, got, err)
		}
	}
	if _, err := pick(nil, ""); !errors.Is(err, capture.ErrGone) || !strings.Contains(err.Error(), "rpicam") {
		t.Errorf("no camera: %v", err)
	}
	if _, err := pick(all[:1], ""); err == nil || errors.Is(err, capture.ErrGone) {
		t.Errorf("none that can be used: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	c, ok := describe("/dev/video7", newFake(offer{name: "H264"}, offer{name: "YUYV", w: 640, h: 480, rates: []float64{15, 30}}))
	if !ok || c.Trouble != "" || strings.Join(c.Formats, " ") != "H264 YUYV" || len(c.Modes) != 1 || c.Modes[0] != (Mode{"YUYV", 640, 480, 30}) {
		t.Errorf("%+v, %v", c, ok)
	}
	if _, ok := describe("/dev/video8", &fake{caps: capStreaming}); ok {
		t.Error("a node that gives no pictures is listed")
	}
}

// Without /dev/video0 the error says what to do.
func TestOpenMissingNode(t *testing.T) {
	if _, err := openNode(t.TempDir() + "/video0"); !errors.Is(err, capture.ErrGone) || !strings.Contains(err.Error(), "camera list") {
		t.Errorf("%v", err)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []Config{{}, {Width: 3, Height: 2, Rate: 5}, {Width: 4, Height: 2, Rate: 0.5}, {Width: 4, Height: 2, Rate: 5, Buffers: 1}, {Width: 4, Height: 2, Rate: 5, Held: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
