// SPDX-License-Identifier: Apache-2.0

package capturetest

import (
	"image"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/synthetic"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

func newSynthetic(o Options) (*synthetic.Driver, error) {
	length := time.Second
	if o.Endless {
		length = 0
	}
	return synthetic.New(synthetic.Config{
		Width: 32, Height: 16, Rate: capture.Rate{Num: 10, Den: 1}, Length: length,
		Speed: o.Speed, Frames: o.Frames,
	})
}

// faulty is a good driver with one fault put into its reader.
type faulty struct {
	*synthetic.Driver
	live  bool // says that it is live
	reset bool // gives every frame the number 0
	deaf  bool // does not hear Close
}

func (d *faulty) VideoRecord(p prop.Media) (video.Reader, error) {
	r, err := d.Driver.VideoRecord(p)
	if err != nil {
		return nil, err
	}
	return &faultyReader{Reader: r.(capture.Reader), faults: d}, nil
}

func (d *faulty) Close() error {
	if d.deaf {
		return nil
	}
	return d.Driver.Close()
}

type faultyReader struct {
	capture.Reader
	faults *faulty
}

func (r *faultyReader) Live() bool { return r.faults.live || r.Reader.Live() }

func (r *faultyReader) Read() (image.Image, func(), error) {
	img, release, err := r.Reader.Read()
	if f, ok := img.(*capture.Frame); ok && r.faults.reset {
		f.Seq = 0
	}
	return img, release, err
}

// The suite must find faults: each broken driver fails its check, and passes it without the fault.
func TestChecksFindFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault faulty
		check func(Make) error
	}{
		{"live at speed 0", faulty{live: true}, playsInOrder},
		{"sequence does not rise", faulty{reset: true}, playsInOrder},
		{"sequence hides dropped frames", faulty{reset: true}, dropsFrames},
		{"close leaves the reader waiting", faulty{deaf: true}, closeEndsWait},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := func(o Options) (driver.Adapter, error) {
					d, err := newSynthetic(o)
					f := test.fault
					f.Driver = d
					return &f, err
				}
				if test.check(broken) == nil {
					t.Error("the broken driver passes")
				}
				good := func(o Options) (driver.Adapter, error) { return newSynthetic(o) }
				if err := test.check(good); err != nil {
					t.Error("the good driver fails:", err)
				}
			})
		})
	}
}

// The checks of live drivers find faults, too. They run in real time.
func TestLiveChecks(t *testing.T) {
	with := func(fault faulty) Make {
		return func(o Options) (driver.Adapter, error) {
			o.Endless, o.Speed = true, 4
			if fault.live {
				o.Speed = 0
			}
			d, err := newSynthetic(o)
			fault.Driver = d
			return &fault, err
		}
	}
	t.Run("good", func(t *testing.T) { RunLive(t, with(faulty{})) })
	if stampsLive(with(faulty{reset: true})) == nil {
		t.Error("all frames have the number 0")
	}
	if dropsLive(with(faulty{reset: true})) == nil {
		t.Error("the numbers hide what is lost")
	}
}
