// SPDX-License-Identifier: Apache-2.0

// Package capturetest is the conformance suite of capture sources: every driver passes the same checks.
// A driver's test calls [Run], and [ZeroAllocs] where it promises to allocate nothing for a frame.
package capturetest

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"
)

// Options is what a check asks of a driver.
type Options struct {
	Speed   float64
	Frames  int
	Endless bool // loop, or go on for ever; otherwise the film ends after at least MinFrames
}

// MinFrames is how long a film must be for the checks.
const MinFrames = 8

// Make makes a new driver.
type Make func(Options) (driver.Adapter, error)

// Run runs all checks. Each has a bubble of testing/synctest, so the pace of live sources is checked
// exactly and takes no time.
func Run(t *testing.T, make Make) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := c.check(make); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// ZeroAllocs checks that frames are read through capture.Open without an allocation.
func ZeroAllocs(t *testing.T, make Make) {
	err := with(make, Options{Frames: 4, Endless: true}, func(s *capture.Source) error {
		next := func() error {
			f, err := s.Read()
			if err != nil {
				return err
			}
			f.Release()
			return nil
		}
		var failed error
		for range 2 * MinFrames { // warm up
			failed = errors.Join(failed, next())
		}
		if n := testing.AllocsPerRun(200, func() { failed = errors.Join(failed, next()) }); n != 0 {
			failed = errors.Join(failed, fmt.Errorf("%g allocations for a frame, want none", n))
		}
		return failed
	})
	if err != nil {
		t.Error(err)
	}
}

// Benchmark reads endless frames as fast as the source gives them.
func Benchmark(b *testing.B, make Make) {
	err := with(make, Options{Frames: 4, Endless: true}, func(s *capture.Source) error {
		b.SetBytes(int64(s.Format().Width) * int64(s.Format().Height) * 3 / 2)
		b.ReportAllocs()
		for b.Loop() {
			f, err := s.Read()
			if err != nil {
				return err
			}
			f.Release()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// label is the name under which the checks register their drivers.
const label = "capturetest"

// with registers a driver, opens it, runs f on it, and takes all down again.
func with(make Make, o Options, f func(*capture.Source) error) error {
	d, err := make(o)
	if err != nil {
		return err
	}
	if err := capture.Register(label, d); err != nil {
		return err
	}
	defer capture.Unregister(label)
	s, err := capture.Open(label, prop.Media{})
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}
