// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package h264

import (
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/capture"
)

// Whatever size New takes, the encoder encodes; the others are refused with the sizes that are possible.
func TestSizeLimits(t *testing.T) {
	for _, c := range []struct {
		width, height int
		ok            bool
	}{
		{16, 16, true},
		{14, 16, false},
		{64, 2, false},
		{642, 362, true}, // not of whole macroblocks
		{16, 8192, true},
		{4096, 2304, true},
		{4096, 2306, false},
	} {
		e, err := New(Config{Width: c.width, Height: c.height, FrameRate: 1})
		if !c.ok {
			if err == nil || !strings.Contains(err.Error(), "16x16 to 4096x2304") {
				t.Errorf("%dx%d: error %v", c.width, c.height, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%dx%d: %v", c.width, c.height, err)
			continue
		}
		f, _ := capture.NewPool(c.width, c.height, 1).Get()
		if unit, err := e.Encode(f); err != nil || !unit.Keyframe {
			t.Errorf("%dx%d: keyframe %v, error %v", c.width, c.height, unit.Keyframe, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
