// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"image"
	"sync"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
)

var errUnplugged = errors.New("no such device")

// device is a camera that does what a test has it do. It is a driver of package capture, and shows frames in real time, which is a
// bubble's.
type device struct {
	mu     sync.Mutex
	width  int
	absent bool          // opening and reading fail
	silent bool          // it gives no frames; Close ends a Read
	hangs  chan struct{} // not nil: a Read does not return before this is closed, nor does Close
	opens  int           // that were tried
	open   int           // that are open now
	bright byte          // of its picture
	given  int           // frames
	pools  []*capture.Pool
}

const deviceFPS = 10

func newDevice() *device { return &device{width: 160} }

// set changes it.
func (d *device) set(f func(*device)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

func (d *device) adapter() driver.Adapter { return &deviceAdapter{device: d} }

// deviceAdapter is one registration of it.
type deviceAdapter struct {
	device *device
	quit   chan struct{}
	once   *sync.Once
}

func (a *deviceAdapter) Open() error {
	d := a.device
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opens++
	if d.absent {
		return errUnplugged
	}
	d.open++
	a.quit, a.once = make(chan struct{}), &sync.Once{}
	return nil
}

func (a *deviceAdapter) Close() error {
	a.device.mu.Lock()
	hangs := a.device.hangs
	a.device.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	a.once.Do(func() { close(a.quit); a.device.set(func(d *device) { d.open-- }) })
	return nil
}

func (a *deviceAdapter) Properties() []prop.Media {
	a.device.mu.Lock()
	defer a.device.mu.Unlock()
	return []prop.Media{capture.Media(a.device.width, 96, capture.Rate{Num: deviceFPS, Den: 1})}
}

func (a *deviceAdapter) VideoRecord(mode prop.Media) (video.Reader, error) {
	pool := capture.NewPool(mode.Width, mode.Height, 128)
	a.device.set(func(d *device) { d.pools = append(d.pools, pool) })
	return &deviceReader{deviceAdapter: a, pool: pool, opened: time.Now()}, nil
}

type deviceReader struct {
	*deviceAdapter
	pool   *capture.Pool
	opened time.Time
	seq    uint64
}

func (r *deviceReader) Live() bool { return true }
func (r *deviceReader) Erase()     { r.pool.Erase() }

func (r *deviceReader) Read() (image.Image, func(), error) {
	d := r.device
	for {
		select {
		case <-time.After(time.Second / deviceFPS):
		case <-r.quit:
			return nil, nil, capture.ErrClosed
		}
		d.mu.Lock()
		absent, silent, hangs, bright := d.absent, d.silent, d.hangs, d.bright
		d.mu.Unlock()
		switch {
		case hangs != nil:
			<-hangs
			return nil, nil, errUnplugged
		case absent:
			return nil, nil, errUnplugged
		case silent:
			continue
		}
		f, ok := r.pool.Get()
		if !ok {
			r.seq++
			continue
		}
		w := f.Rect.Dx()
		for i := range f.Y {
			noise := uint32(i+int(r.seq)*7919) * 2654435761
			f.Y[i] = 64 + byte(i%w%61) + byte(noise>>30)
		}
		if bright > 0 { // something walks through
			left := int(r.seq) * 4 % (w - 24)
			for y := 20; y < 60; y++ {
				for x := left; x < left+20; x++ {
					f.Y[y*w+x] = bright
				}
			}
		}
		f.Seq, f.PTS = r.seq, time.Since(r.opened)
		f.Wall = clock.Wall{Time: time.Now(), Quality: clock.Synced}
		r.seq++
		d.set(func(d *device) { d.given++ })
		return f, f.Release, nil
	}
}
