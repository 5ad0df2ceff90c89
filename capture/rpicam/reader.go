// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/capture"
)

// recordWait is how long a picture's record may take to follow it.
const recordWait = 2 * time.Second

// reader is the [capture.Reader] of one running program.
type reader struct {
	cfg     Config
	process *process
	records *scanner
	pool    *capture.Pool
	opened  *capture.Opening
	stamps  stamps
	spill   []byte // where a picture goes that nobody has room for

	frames chan *capture.Frame // as many as the pool has: never full
	err    error               // after frames was closed
	done   chan struct{}       // closed by Close
	closed func() error
}

func newReader(cfg Config, p *process) *reader {
	n := cfg.pooled()
	r := &reader{
		cfg: cfg, process: p, records: newScanner(p.meta),
		pool:   capture.NewPool(cfg.Width, cfg.Height, n),
		opened: capture.NewOpening(cfg.Clock),
		stamps: stamps{interval: cfg.interval()},
		frames: make(chan *capture.Frame, n),
		done:   make(chan struct{}),
	}
	r.closed = sync.OnceValue(r.end)
	go r.pump()
	return r
}

// Live implements [capture.Reader].
func (r *reader) Live() bool { return true }

// Erase has the memory of frames overwritten, see [capture.Source.Erase].
func (r *reader) Erase() { r.pool.Erase() }

// Read implements [capture.Reader].
func (r *reader) Read() (image.Image, func(), error) {
	select {
	case <-r.done: // first: what still waits is from before Close
		return nil, nil, capture.ErrClosed
	default:
	}
	select {
	case f, ok := <-r.frames:
		if !ok {
			select {
			case <-r.done: // it was Close that ended it
				return nil, nil, capture.ErrClosed
			default:
				return nil, nil, r.err
			}
		}
		return f, f.ReleaseFunc(), nil
	case <-r.done:
		return nil, nil, capture.ErrClosed
	}
}

// Close ends the program and makes a waiting Read return [capture.ErrClosed]. When it returns without an error the program is gone.
func (r *reader) Close() error { return r.closed() }

func (r *reader) end() error {
	close(r.done)
	err := r.process.stop()
	for f := range r.frames { // until the pump has ended, too
		f.Release()
	}
	return err
}

// pump reads whatever comes, as it comes: the program does not wait for anybody.
func (r *reader) pump() {
	defer close(r.frames)
	for n := 0; ; n++ {
		f, _ := r.pool.Get()
		err := r.next(f, n)
		if err != nil {
			if f != nil {
				f.Release()
			}
			r.err = fmt.Errorf("rpicam-vid: %w", err)
			// Nobody reads any more, so it must not go on. Close waits for its end.
			r.process.signal(unix.SIGKILL)
			return
		}
		if f != nil {
			r.frames <- f
		}
	}
}

// next reads a picture and its record into f, or passes over them when f is nil.
func (r *reader) next(f *capture.Frame, n int) error {
	if err := r.picture(f); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("frame %d is cut off: %w", n, r.process.failure())
		}
		return r.process.failure()
	}
	now, clock := r.opened.Since(), capture.Monotonic()
	if err := r.process.meta.SetReadDeadline(time.Now().Add(recordWait)); err != nil {
		return r.process.failure()
	}
	rec, err := r.records.next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("frame %d has no metadata after %v: pictures are not of the size that was asked for, or %s cannot be written",
			n, recordWait, metadataPath)
	case err != nil:
		return r.process.failure()
	}
	if err := r.stamps.take(rec, now, clock); err != nil {
		return err
	}
	if f != nil {
		f.Seq, f.PTS = r.stamps.seq, r.stamps.pts
		f.Wall = r.opened.At(f.PTS)
		f.Light.Exposure, f.Light.Lux = rec.light()
	}
	return nil
}

// picture reads the planes. io.EOF is the end between two pictures.
func (r *reader) picture(f *capture.Frame) error {
	if f == nil {
		if r.spill == nil {
			r.spill = make([]byte, r.cfg.Width*r.cfg.Height*3/2)
		}
		_, err := io.ReadFull(r.process.out, r.spill)
		return err
	}
	for i, plane := range [...][]byte{f.Y, f.Cb, f.Cr} {
		if _, err := io.ReadFull(r.process.out, plane); err != nil {
			if i > 0 && errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
