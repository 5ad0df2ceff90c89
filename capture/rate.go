// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"math/bits"
	"time"
)

// Rate is a frame rate as a fraction, Num/Den frames per second: {30000, 1001} is NTSC's.
type Rate struct{ Num, Den uint32 }

// Validate returns an error for a rate outside 1/3600 to 1000 frames per second.
func (r Rate) Validate() error {
	num, den := uint64(r.Num), uint64(r.Den)
	if num == 0 || den == 0 || num > 1000*den || den > 3600*num {
		return fmt.Errorf("frame rate %d/%d: must be between 1/3600 and 1000 frames per second", r.Num, r.Den)
	}
	return nil
}

// PTS returns the time of frame n, counted from 0, rounded down to the nanosecond.
func (r Rate) PTS(n uint64) time.Duration {
	// 128 bits between: n × Den × 10⁹ leaves 64 bits after five hours at 1001/30000.
	hi, lo := bits.Mul64(n, uint64(r.Den)*uint64(time.Second))
	ns, _ := bits.Div64(hi, lo, uint64(r.Num))
	return time.Duration(ns)
}

// FPS returns the rate in frames per second.
func (r Rate) FPS() float64 { return float64(r.Num) / float64(r.Den) }
