// SPDX-License-Identifier: Apache-2.0

package capturetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/pion/mediadevices/pkg/driver"
)

// patience is for what must happen soon; a machine that is busy gets as much.
const patience = 20 * time.Second

// RunLive runs the checks of a driver over a device or a program, whose time is real and whose frames come at their own pace. It
// gives at least ten frames a second without an end.
func RunLive(t *testing.T, make Make) {
	for _, c := range liveChecks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(make); err != nil {
				t.Error(err)
			}
		})
	}
}

var liveChecks = []struct {
	name  string
	check func(Make) error
}{
	{"registers one driver", registersOne},
	{"stamps its frames", stampsLive},
	{"opens again from the beginning", opensAgain},
	{"drops frames when the pool is empty", dropsLive},
	{"close ends a read", closeEndsLive},
	{"held frames outlive the source", heldOutlives},
	{"panics when released too often", panicsOnOverRelease},
}

// stampsLive checks numbers, times and size of some frames.
func stampsLive(make Make) error {
	return with(make, Options{}, func(s *capture.Source) error {
		format := s.Format()
		if !format.Live {
			return errors.New("not live")
		}
		var last *capture.Frame
		defer func() { last.Release() }()
		for n := range MinFrames {
			f, err := s.Read()
			if err != nil {
				return err
			}
			switch p := f.Luma(); {
			case n == 0 && f.Seq != 0:
				err = fmt.Errorf("the first frame has Seq %d", f.Seq)
			case n > 0 && f.Seq <= last.Seq:
				err = fmt.Errorf("frame %d after frame %d", f.Seq, last.Seq)
			case n > 0 && f.PTS <= last.PTS || f.PTS < 0:
				err = fmt.Errorf("frame %d: PTS %v does not rise", f.Seq, f.PTS)
			case n > 0 && f.Wall.Quality == last.Wall.Quality && f.Wall.Time.Sub(last.Wall.Time) != f.PTS-last.PTS:
				err = fmt.Errorf("frame %d: the wall clock goes on by %v, PTS by %v", f.Seq, f.Wall.Time.Sub(last.Wall.Time), f.PTS-last.PTS)
			case p.W != format.Width || p.H != format.Height:
				err = fmt.Errorf("frame %d is %dx%d, want %dx%d", f.Seq, p.W, p.H, format.Width, format.Height)
			}
			if last != nil {
				last.Release()
			}
			if last = f; err != nil {
				return err
			}
		}
		return nil
	})
}

// dropsLive holds the pool's only frames: the source goes on, and its numbers tell of what was lost.
func dropsLive(make Make) error {
	return with(make, Options{Frames: 2}, func(s *capture.Source) error {
		var held []*capture.Frame
		defer func() {
			for _, f := range held {
				f.Release()
			}
		}()
		for range 2 {
			f, err := s.Read()
			if err != nil {
				return err
			}
			held = append(held, f)
		}
		time.Sleep(time.Second / 2) // five frames at least find the pool empty, unless the machine stood still
		newest := held[1].Seq
		held[1].Release()
		held = held[:1]
		for range MinFrames {
			f, err := s.Read()
			if err != nil {
				return err
			}
			gap := f.Seq - newest
			newest = f.Seq
			f.Release()
			if gap > 1 {
				return nil
			}
		}
		return errors.New("the pool was empty and no frame was lost")
	})
}

// closeEndsLive closes the source under a goroutine that reads on and on.
func closeEndsLive(make Make) error {
	return with(make, Options{}, func(s *capture.Source) error {
		begun, ended := closing(s)
		select {
		case <-begun:
		case err := <-ended:
			return fmt.Errorf("reads before Close: %w", err)
		}
		if err := s.Close(); err != nil {
			return err
		}
		select {
		case err := <-ended:
			if !errors.Is(err, capture.ErrClosed) {
				return fmt.Errorf("read during Close: got %v, want ErrClosed", err)
			}
		case <-time.After(patience):
			return errors.New("the read still waits after Close")
		}
		return s.Close() // a second time
	})
}

// closing reads until an error comes; begun is closed with the first frame.
func closing(s *capture.Source) (begun chan struct{}, ended chan error) {
	begun, ended = make(chan struct{}), make(chan error, 1)
	go func() {
		for first := true; ; first = false {
			f, err := s.Read()
			if err != nil {
				ended <- err
				return
			}
			f.Release()
			if first {
				close(begun)
			}
		}
	}()
	return begun, ended
}

// heldOutlives looks at a frame after its source was closed.
func heldOutlives(make Make) error {
	d, err := make(Options{})
	if err != nil {
		return err
	}
	var held *capture.Frame
	keep := func(Options) (driver.Adapter, error) { return d, nil }
	err = with(keep, Options{}, func(s *capture.Source) error {
		held, err = s.Read()
		return err
	})
	if err != nil {
		return err
	}
	var sum int
	for _, v := range held.Y {
		sum += int(v)
	}
	if sum == 0 {
		err = errors.New("the picture is gone")
	}
	held.Release()
	return err
}
