// SPDX-License-Identifier: Apache-2.0

package capturetest

import (
	"errors"
	"fmt"
	"io"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/pion/mediadevices/pkg/driver"
)

// checks return an error, and not call a testing.T, so that a test can show that a broken driver fails.
var checks = []struct {
	name  string
	check func(Make) error
}{
	{"registers one driver", registersOne},
	{"plays the whole film in order", playsInOrder},
	{"opens again from the beginning", opensAgain},
	{"keeps its pace when live", keepsPace},
	{"waits for a released frame when not live", waitsForFrame},
	{"drops frames when live and the pool is empty", dropsFrames},
	{"close ends a read that waits for a frame", closeEndsWait},
	{"close ends a read that waits for its time", closeEndsPace},
	{"panics when released too often", panicsOnOverRelease},
}

// registersOne asks mediadevices itself: a driver package that compiles but registers nothing is a known trap.
func registersOne(make Make) error {
	count := func() int { return len(driver.GetManager().Query(driver.FilterVideoRecorder())) }
	before := count()
	d, err := make(Options{})
	if err != nil {
		return err
	}
	if err := capture.Register(label, d); err != nil {
		return err
	}
	defer capture.Unregister(label)
	if n := count() - before; n != 1 {
		return fmt.Errorf("%d drivers appeared, want 1", n)
	}
	if err := capture.Register(label, d); !errors.Is(err, capture.ErrTaken) {
		return fmt.Errorf("second registration: got %v, want ErrTaken", err)
	}
	return nil
}

func playsInOrder(make Make) error {
	return with(make, Options{}, func(s *capture.Source) error {
		format := s.Format()
		if format.Live {
			return errors.New("live at speed 0")
		}
		var first time.Time
		var last time.Duration
		for n := uint64(0); ; n++ {
			f, err := s.Read()
			if err == io.EOF {
				if n < MinFrames {
					return fmt.Errorf("end after %d frames, want at least %d", n, MinFrames)
				}
				if _, err := s.Read(); err != io.EOF {
					return fmt.Errorf("second read at the end: got %v, want EOF", err)
				}
				return nil
			}
			if err != nil {
				return err
			}
			if n == 0 {
				first = f.Wall.Time.Add(-f.PTS)
			}
			switch p := f.Luma(); {
			case f.Seq != n:
				return fmt.Errorf("frame %d has Seq %d", n, f.Seq)
			case n > 0 && f.PTS <= last:
				return fmt.Errorf("frame %d: PTS %v after %v", n, f.PTS, last)
			case !f.Wall.Time.Equal(first.Add(f.PTS)):
				return fmt.Errorf("frame %d: wall clock differs from start + PTS by %v", n, f.Wall.Time.Sub(first.Add(f.PTS)))
			case p.W != format.Width || p.H != format.Height:
				return fmt.Errorf("frame %d is %dx%d, want %dx%d", n, p.W, p.H, format.Width, format.Height)
			}
			last = f.PTS
			f.Release()
		}
	})
}

func opensAgain(make Make) error {
	d, err := make(Options{})
	if err != nil {
		return err
	}
	again := func(Options) (driver.Adapter, error) { return d, nil }
	for range 2 {
		err := with(again, Options{}, func(s *capture.Source) error {
			f, err := s.Read()
			if err != nil {
				return err
			}
			defer f.Release()
			if f.Seq != 0 {
				return fmt.Errorf("first frame has Seq %d", f.Seq)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func keepsPace(make Make) error {
	const speed = 4
	return with(make, Options{Speed: speed}, func(s *capture.Source) error {
		start := time.Now()
		for range MinFrames {
			f, err := s.Read()
			if err != nil {
				return err
			}
			if got, want := time.Since(start), f.PTS/speed; got != want {
				return fmt.Errorf("frame %d came after %v, want %v", f.Seq, got, want)
			}
			f.Release()
		}
		return nil
	})
}

// reading is a Read in a goroutine of its own.
type reading struct {
	done  chan struct{}
	frame *capture.Frame
	err   error
}

func read(s *capture.Source) *reading {
	r := &reading{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.frame, r.err = s.Read()
	}()
	return r
}

// waits lets everything run until it waits, and tells whether the Read is among what waits.
func (r *reading) waits() bool {
	synctest.Wait()
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

func waitsForFrame(make Make) error {
	return with(make, Options{Frames: 1}, func(s *capture.Source) error {
		held, err := s.Read()
		if err != nil {
			return err
		}
		r := read(s)
		waited := r.waits()
		held.Release()
		<-r.done
		switch {
		case !waited:
			return errors.New("a frame was handed out while the only one was in use")
		case r.err != nil:
			return r.err
		case r.frame.Seq != 1:
			return fmt.Errorf("frame %d after frame 0, want 1", r.frame.Seq)
		}
		r.frame.Release()
		return nil
	})
}

func dropsFrames(make Make) error {
	return with(make, Options{Speed: 1, Frames: 1}, func(s *capture.Source) error {
		if !s.Format().Live {
			return errors.New("not live at speed 1")
		}
		held, err := s.Read()
		if err != nil {
			return err
		}
		interval := time.Duration(float64(time.Second) / s.Format().FrameRate)
		r := read(s)
		time.Sleep(2*interval + interval/2) // frames 1 and 2 find the pool empty
		waited := r.waits()
		held.Release()
		<-r.done
		switch {
		case !waited:
			return errors.New("a frame was handed out while the only one was in use")
		case r.err != nil:
			return r.err
		case r.frame.Seq != 3:
			return fmt.Errorf("frame %d after the pool was empty for frames 1 and 2, want 3", r.frame.Seq)
		}
		r.frame.Release()
		return nil
	})
}

func closeEndsWait(make Make) error {
	return closeEnds(make, Options{Frames: 1})
}

func closeEndsPace(make Make) error {
	return closeEnds(make, Options{Frames: 2, Speed: 1e-6})
}

// closeEnds closes a source whose second Read waits.
func closeEnds(make Make, o Options) error {
	return with(make, o, func(s *capture.Source) error {
		held, err := s.Read()
		if err != nil {
			return err
		}
		r := read(s)
		if !r.waits() {
			return errors.New("the second read does not wait")
		}
		if err := s.Close(); err != nil {
			return err
		}
		stuck := r.waits()
		held.Release() // still ours; and ends a Read that Close left waiting
		<-r.done
		if stuck {
			return errors.New("the read still waits after Close")
		}
		if !errors.Is(r.err, capture.ErrClosed) {
			return fmt.Errorf("read during Close: got %v, want ErrClosed", r.err)
		}
		if _, err := s.Read(); !errors.Is(err, capture.ErrClosed) {
			return fmt.Errorf("read after Close: got %v, want ErrClosed", err)
		}
		return s.Close() // a second time
	})
}

func panicsOnOverRelease(make Make) error {
	return with(make, Options{}, func(s *capture.Source) (err error) {
		f, err := s.Read()
		if err != nil {
			return err
		}
		f.Release()
		defer func() {
			if recover() == nil {
				err = errors.New("no panic")
			}
		}()
		f.Release()
		return nil
	})
}
