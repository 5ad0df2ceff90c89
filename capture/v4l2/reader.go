// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"errors"
	"fmt"
	"image"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/capture"
)

// reader is the [capture.Reader] of a device that streams.
type reader struct {
	device device
	mode   mode
	levels *levels
	draw   func(*capture.Frame, []byte, int, *levels) error
	pool   *capture.Pool
	opened *capture.Opening
	slots  []*slot

	reading sync.Mutex // held by Read; Close takes it before it stops the device under a reader
	taken   buffer     // by Read; here, for an argument on the stack would escape with each frame
	started bool
	last    uint32 // sequence number of the newest buffer
	seq     uint64
	pts     time.Duration

	mu     sync.Mutex
	given  buffer // back to the device
	lent   int    // buffers that somebody reads
	closed bool
	// stopped comes after closed, when no Read is at work: until then nothing may be unmapped.
	stopped bool
}

// slot is one of the device's buffers.
type slot struct {
	index uint32
	data  []byte
	loan  *capture.Loan
}

func newReader(d device, cfg Config, m mode) (*reader, error) {
	w, h := int(m.pix.Width), int(m.pix.Height)
	r := &reader{device: d, mode: m, levels: m.levels(), draw: m.layout.draw, pool: capture.NewPool(w, h, cfg.pooled(w, h))}
	if r.draw == nil {
		r.draw = drawMJPEG()
	}
	if err := r.start(cfg.Buffers); err != nil {
		r.unmap()
		return nil, err
	}
	r.opened = capture.NewOpening(cfg.Clock)
	return r, nil
}

// start asks for buffers, hands them to the device, and has it stream.
func (r *reader) start(buffers int) error {
	req := requestbuffers{Count: uint32(buffers), Type: videoCapture, Memory: memoryMmap}
	if err := r.device.ioctl(vidiocReqBufs, unsafe.Pointer(&req)); err != nil {
		if errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("ask for buffers: %w: another program uses the camera; end it", err)
		}
		return fmt.Errorf("ask for buffers: %w", err)
	}
	if req.Count < 2 || req.Count > maxBuffers {
		return fmt.Errorf("ask for buffers: the driver gives %d", req.Count)
	}
	for i := range req.Count {
		b := buffer{Index: i, Type: videoCapture, Memory: memoryMmap}
		if err := r.device.ioctl(vidiocQueryBuf, unsafe.Pointer(&b)); err != nil {
			return fmt.Errorf("ask for buffer %d: %w", i, err)
		}
		if size := r.mode.layout.size; size != nil && int(b.Length) < size(int(r.mode.pix.BytesPerLine), int(r.mode.pix.Height)) {
			return fmt.Errorf("buffer %d has %d bytes: too small for its picture", i, b.Length)
		}
		data, err := r.device.mmap(int64(b.Offset), int(b.Length))
		if err != nil {
			return fmt.Errorf("map buffer %d: %w", i, err)
		}
		r.slots = append(r.slots, r.newSlot(i, data))
	}
	for _, s := range r.slots {
		if err := r.queue(s); err != nil {
			return fmt.Errorf("queue buffer %d: %w", s.index, err)
		}
	}
	typ := uint32(videoCapture)
	if err := r.device.ioctl(vidiocStreamOn, unsafe.Pointer(&typ)); err != nil {
		return fmt.Errorf("start the camera: %w", err)
	}
	return nil
}

func (r *reader) newSlot(index uint32, data []byte) *slot {
	s := &slot{index: index, data: data}
	if !r.mode.layout.lends {
		return s
	}
	s.loan = capture.NewLoan(r.pool, func(whole *capture.Frame) {
		r.draw(whole, s.data, int(r.mode.pix.BytesPerLine), r.levels) // a lending layout cannot fail
	}, func() { r.back(s) })
	s.loan.Rect = image.Rect(0, 0, int(r.mode.pix.Width), int(r.mode.pix.Height))
	s.loan.YStride = int(r.mode.pix.BytesPerLine)
	s.loan.Y = data[:s.loan.YStride*s.loan.Rect.Dy()]
	return s
}

// queue gives a buffer to the device.
func (r *reader) queue(s *slot) error {
	r.given = buffer{Index: s.index, Type: videoCapture, Memory: memoryMmap}
	return r.device.ioctl(vidiocQBuf, unsafe.Pointer(&r.given))
}

// back takes a buffer that was lent; the last one after Close unmaps all.
func (r *reader) back(s *slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lent--
	if !r.closed {
		r.queue(s) // where it fails the device is gone, and Read says so
		return
	}
	if r.lent == 0 && r.stopped {
		r.unmap()
	}
}

func (r *reader) unmap() error {
	var errs []error
	for _, s := range r.slots {
		errs = append(errs, r.device.munmap(s.data))
	}
	r.slots = nil
	return errors.Join(errs...)
}

// Live implements [capture.Reader].
func (r *reader) Live() bool { return true }

// Erase has the memory of frames overwritten, see [capture.Source.Erase].
func (r *reader) Erase() { r.pool.Erase() }

// Read implements [capture.Reader].
func (r *reader) Read() (image.Image, func(), error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	for {
		s, err := r.dequeue()
		if err != nil {
			return nil, nil, err
		}
		f, err := r.frame(s)
		if err != nil {
			return nil, nil, err
		}
		if f != nil {
			return f, f.ReleaseFunc(), nil
		}
	}
}

// idle is how often in a row a device may wake us for nothing: one that is gone may do so for ever.
const idle = 1000

// dequeue waits for a buffer.
func (r *reader) dequeue() (*slot, error) {
	for range idle {
		if r.isClosed() {
			return nil, capture.ErrClosed
		}
		woken, err := r.device.wait()
		if woken {
			return nil, capture.ErrClosed
		}
		if err != nil {
			return nil, err
		}
		r.taken = buffer{Type: videoCapture, Memory: memoryMmap}
		err = r.device.ioctl(vidiocDQBuf, unsafe.Pointer(&r.taken))
		switch {
		case err == nil && int(r.taken.Index) < len(r.slots):
			return r.slots[r.taken.Index], nil
		case err == nil:
			return nil, fmt.Errorf("the driver gives buffer %d of %d", r.taken.Index, len(r.slots))
		case errors.Is(err, unix.EAGAIN):
		case errors.Is(err, unix.ENODEV):
			return nil, fmt.Errorf("%w: it was unplugged, or its driver left it", capture.ErrGone)
		default: // EIO above all
			return nil, fmt.Errorf("take a picture: %w", err)
		}
	}
	return nil, fmt.Errorf("%w: it signals pictures and gives none", capture.ErrGone)
}

func (r *reader) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// frame makes a frame of the buffer that was taken last; nil when it is none, or nobody has room for it.
func (r *reader) frame(s *slot) (*capture.Frame, error) {
	r.stamp()
	var f *capture.Frame
	if r.whole() {
		if s.loan != nil {
			r.mu.Lock()
			r.lent++
			r.mu.Unlock()
			f = s.loan.Lend()
			r.label(f)
			return f, nil
		}
		if got, ok := r.pool.Get(); ok {
			data := s.data[:min(int(r.taken.BytesUsed), len(s.data))]
			if err := r.draw(got, data, int(r.mode.pix.BytesPerLine), r.levels); err != nil { // a torn JPEG: the next one may do
				got.Release()
			} else {
				f = got
				r.label(f)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.queue(s); err != nil {
		if f != nil {
			f.Release()
		}
		if errors.Is(err, unix.ENODEV) {
			return nil, fmt.Errorf("%w: it was unplugged, or its driver left it", capture.ErrGone)
		}
		return nil, fmt.Errorf("give buffer %d back: %w", s.index, err)
	}
	return f, nil
}

// whole tells whether the buffer has a picture that can be used.
func (r *reader) whole() bool {
	if r.taken.Flags&bufError != 0 {
		return false
	}
	size := r.mode.layout.size
	return size == nil || int(r.taken.BytesUsed) >= size(int(r.mode.pix.BytesPerLine), int(r.mode.pix.Height))
}

// stamp follows the device's sequence number, of 32 bits, and its time.
func (r *reader) stamp() {
	if r.started {
		step := r.taken.Sequence - r.last // modulo 2^32
		if step == 0 || step > 1<<31 {
			step = 1 // it began anew
		}
		r.seq += uint64(step)
	}
	r.last = r.taken.Sequence

	pts := r.opened.Since()
	if r.taken.Flags&bufTimeMask == bufTimeMonotonic {
		age := capture.Monotonic() - time.Duration(r.taken.Timestamp.Nano())
		if age >= 0 && age < 10*time.Second { // else it is another clock's
			pts = max(0, pts-age)
		}
	}
	if r.started && pts <= r.pts {
		pts = r.pts + time.Microsecond
	}
	r.pts, r.started = pts, true
}

func (r *reader) label(f *capture.Frame) {
	f.Seq, f.PTS, f.Wall = r.seq, r.pts, r.opened.At(r.pts)
}

// Close stops the sensor and makes a waiting Read return [capture.ErrClosed]. Frames that are still read keep their memory.
func (r *reader) Close() error {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if again {
		return nil
	}
	r.device.wake()
	r.reading.Lock()
	defer r.reading.Unlock()
	typ := uint32(videoCapture)
	err := r.device.ioctl(vidiocStreamOff, unsafe.Pointer(&typ))
	if errors.Is(err, unix.ENODEV) {
		err = nil // it is gone, and dark
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.lent == 0 {
		err = errors.Join(err, r.unmap())
	}
	return errors.Join(err, r.device.close())
}
