// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/privacy"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/motion"
)

func newMode(t *testing.T) *privacy.Mode {
	return privacy.Open(filepath.Join(t.TempDir(), "privacy"), privacy.DefaultConfig(), nil)
}

// In privacy mode the sensor is closed, at most one frame after the command is used, the clip that was being recorded is closed as far
// as it was, and nothing of the picture is left in memory: neither in the frames nor in the detector. What was not seen is declared.
func TestPrivacyClosesTheSensor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mode := newMode(t)
		s := supervise(t, mode)
		s.run(t)
		within(t, 10*time.Second, "frames", s.more(30))
		s.device.set(func(d *device) { d.bright = 250 })
		within(t, 5*time.Second, "frames of what moves", s.more(15))
		var forgotten int
		if err := s.ask(t.Context(), func(*motion.Detector) { s.super.forget = func(*motion.Detector) { forgotten++ } }); err != nil {
			t.Fatal(err)
		}

		before := s.frames.Load()
		if err := mode.Set(privacy.Owner, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if used := s.frames.Load() - before; used > 1 {
			t.Errorf("%d frames were used after the command", used)
		}
		s.device.mu.Lock()
		open, given, pool := s.device.open, s.device.given, s.device.pools[len(s.device.pools)-1]
		s.device.mu.Unlock()
		if open != 0 {
			t.Error("the device is open")
		}
		for range 8 { // the driver's own frames, as who had the pool would find them
			f, ok := pool.Get()
			if !ok {
				break
			}
			for i, y := range f.Y {
				if y != 0 {
					t.Fatalf("there is a picture in memory: sample %d is %d", i, y)
				}
			}
		}
		s.mu.Lock()
		if len(s.clips) != 1 || s.clips[0].Frames < 15 {
			t.Errorf("the clip was not closed in good order: %+v", s.clips)
		}
		s.mu.Unlock()
		if forgotten != 1 || s.detector != nil || s.recorder != nil {
			t.Errorf("the background is still known: forgotten %d", forgotten)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s.device.mu.Lock()
		if s.device.given != given || s.device.open != 0 {
			t.Error("the sensor was opened")
		}
		s.device.mu.Unlock()
		if err := s.stall(); err != nil {
			t.Errorf("what is meant is no trouble: %v", err)
		}
		if err := s.Alive(); err != nil {
			t.Errorf("a board must not be restarted for it: %v", err)
		}

		if err := mode.Set(privacy.Owner, false); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "frames again", s.more(5))
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if len(s.spans) != 1 || s.spans[0].reason != record.Private || s.spans[0].to.Sub(s.spans[0].from) < 10*time.Minute {
			t.Errorf("declared are %+v", s.spans)
		}
		if len(s.events) != 0 {
			t.Errorf("events %v", s.events)
		}
	})
}

// A camera that starts in privacy mode never opens its sensor.
func TestPrivateFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mode := newMode(t)
		if err := mode.Set(privacy.Switch, true); err != nil {
			t.Fatal(err)
		}
		s := supervise(t, mode)
		s.run(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.device.mu.Lock()
		if s.device.opens != 0 {
			t.Errorf("opened %d times", s.device.opens)
		}
		s.device.mu.Unlock()
		s.stop()
	})
}
