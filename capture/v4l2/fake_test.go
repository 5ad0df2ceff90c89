// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"errors"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/capture"
)

// fake is a camera behind the kernel's interface, as the kernel's documentation describes it. It gives frames in real time, each
// of one shade: that of its sequence number.
type fake struct {
	offers   []offer
	caps     uint32
	card     string
	noParm   bool
	fullness uint32 // quantization

	mu      sync.Mutex
	pix     pixFormat
	rate    float64
	buffers [][]byte
	queued  []uint32
	done    []buffer
	start   time.Time
	next    uint32 // sequence number
	running bool
	gone    bool  // unplugged
	fails   error // of the next DQBUF
	spoil   func(*buffer)
	mapped  int
	closed  int
	woken   chan struct{}
	once    sync.Once
	timer   *time.Timer
}

// offer is a format of a fake.
type offer struct {
	name   string
	rates  []float64
	w, h   int // the only size; 0 takes what is asked for
	stride int // more bytes a row than needed
}

func newFake(offers ...offer) *fake {
	return &fake{offers: offers, caps: capVideoCapture | capStreaming, card: "fake", woken: make(chan struct{}), fullness: quantizationFull}
}

func (k *fake) offer(pixel uint32) (offer, bool) {
	for _, o := range k.offers {
		if fourcc(o.name) == pixel {
			return o, true
		}
	}
	return offer{}, false
}

func (k *fake) ioctl(req uintptr, arg unsafe.Pointer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return unix.ENODEV
	}
	switch req {
	case vidiocQueryCap:
		c := (*capability)(arg)
		c.Capabilities = k.caps
		copy(c.Card[:], k.card)
	case vidiocEnumFmt:
		f := (*fmtdesc)(arg)
		if int(f.Index) >= len(k.offers) {
			return unix.EINVAL
		}
		f.PixelFormat = fourcc(k.offers[f.Index].name)
	case vidiocTryFmt, vidiocSetFmt:
		return k.setFormat(req, (*format)(arg))
	case vidiocEnumSizes:
		s := (*frmsizeenum)(arg)
		if o, ok := k.offer(s.PixelFormat); !ok || s.Index > 0 || o.w == 0 {
			return unix.EINVAL
		} else {
			s.Type, s.Sizes[0], s.Sizes[1] = discrete, uint32(o.w), uint32(o.h)
		}
	case vidiocEnumIvals:
		v := (*frmivalenum)(arg)
		o, ok := k.offer(v.PixelFormat)
		if !ok || int(v.Index) >= len(o.rates) {
			return unix.EINVAL
		}
		v.Type, v.Intervals[0], v.Intervals[1] = discrete, 1000, uint32(o.rates[v.Index]*1000)
	case vidiocSetParm:
		if k.noParm {
			return unix.ENOTTY
		}
		p := (*streamparm)(arg)
		k.rate = float64(p.Denominator) / float64(p.Numerator)
	case vidiocReqBufs:
		r := (*requestbuffers)(arg)
		for range r.Count {
			k.buffers = append(k.buffers, make([]byte, k.pix.SizeImage))
		}
	case vidiocQueryBuf:
		b := (*buffer)(arg)
		b.Length, b.Offset = k.pix.SizeImage, uintptr(b.Index)<<12
	case vidiocQBuf:
		k.catchUp()
		k.queued = append(k.queued, (*buffer)(arg).Index)
	case vidiocDQBuf:
		if err := k.fails; err != nil {
			k.fails = nil
			return err
		}
		if len(k.done) == 0 {
			return unix.EAGAIN
		}
		*(*buffer)(arg) = k.done[0]
		k.done = k.done[:copy(k.done, k.done[1:])]
	case vidiocStreamOn:
		k.running, k.start, k.next = true, time.Now(), 0
		if k.rate == 0 {
			k.rate = 100
		}
	case vidiocStreamOff:
		k.running, k.queued, k.done = false, nil, nil
	default:
		return unix.ENOTTY
	}
	return nil
}

func (k *fake) setFormat(req uintptr, f *format) error {
	o, ok := k.offer(f.Pix.PixelFormat)
	if !ok {
		return unix.EINVAL
	}
	if o.w > 0 {
		f.Pix.Width, f.Pix.Height = uint32(o.w), uint32(o.h)
	}
	f.Pix.Quantization = k.fullness
	f.Pix.SizeImage = 1 << 16
	if l, ok := findLayout(f.Pix.PixelFormat); ok && l.size != nil {
		f.Pix.BytesPerLine = uint32(l.least(int(f.Pix.Width)) + o.stride)
		f.Pix.SizeImage = uint32(l.size(int(f.Pix.BytesPerLine), int(f.Pix.Height)))
	}
	if req == vidiocSetFmt {
		k.pix = f.Pix
	}
	return nil
}

func (k *fake) mmap(offset int64, length int) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mapped++
	return k.buffers[offset>>12][:length], nil
}

// munmap poisons the memory, so that who still reads it sees that.
func (k *fake) munmap(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mapped--
	for i := range b {
		b[i] = 0xee
	}
	return nil
}

// wait sleeps until there is a frame.
func (k *fake) wait() (bool, error) {
	for {
		k.mu.Lock()
		k.catchUp()
		if k.gone || k.fails != nil || len(k.done) > 0 {
			k.mu.Unlock()
			return false, nil // an error too, as POLLERR does
		}
		if k.timer == nil {
			k.timer = time.NewTimer(0)
		}
		k.timer.Reset(time.Until(k.due()))
		k.mu.Unlock()
		select {
		case <-k.woken:
			return true, nil
		case <-k.timer.C:
		}
	}
}

// due is when the next picture is taken.
func (k *fake) due() time.Time {
	return k.start.Add(time.Duration(float64(k.next+1) / k.rate * float64(time.Second)))
}

// catchUp takes the pictures whose time has come: the sensor waits for nobody.
func (k *fake) catchUp() {
	for k.running && !k.due().After(time.Now()) {
		k.expose()
	}
}

// expose takes one picture; without a buffer it is lost.
func (k *fake) expose() {
	n := k.next
	k.next++
	if len(k.queued) == 0 {
		return
	}
	b := buffer{Index: k.queued[0], BytesUsed: k.pix.SizeImage, Flags: bufTimeMonotonic, Sequence: n}
	k.queued = k.queued[:copy(k.queued, k.queued[1:])]
	b.Timestamp = unix.NsecToTimeval(int64(capture.Monotonic()))
	for i := range k.buffers[b.Index] {
		k.buffers[b.Index][i] = shade(n)
	}
	k.done = append(k.done, b)
	if k.spoil != nil {
		k.spoil(&k.done[len(k.done)-1])
	}
}

// shade is that of frame n.
func shade(n uint32) byte { return byte(40 + n%100) }

func (k *fake) wake() { k.once.Do(func() { close(k.woken) }) }

func (k *fake) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed++; k.closed > 1 {
		return errors.New("closed again")
	}
	return nil
}

// driverOf makes a driver whose every opening is a fake that make returns.
func driverOf(t testing.TB, cfg Config, make func() *fake) *Driver {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.find = func(string) (string, error) { return "/dev/video-fake", nil }
	d.open = func(string) (device, error) { return make(), nil }
	return d
}

func small() Config { return Config{Width: 32, Height: 16, Rate: 50} }
