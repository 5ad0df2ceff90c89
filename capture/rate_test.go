// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"math"
	"testing"
	"time"
)

func TestRatePTS(t *testing.T) {
	tests := []struct {
		rate Rate
		n    uint64
		want time.Duration
	}{
		{Rate{10, 1}, 0, 0},
		{Rate{10, 1}, 7, 700 * time.Millisecond},
		{Rate{30000, 1001}, 1, 33366666},
		{Rate{30000, 1001}, 30000, 1001 * time.Second},
		// Ten years: n × Den × 10⁹ is beyond 64 bits long before.
		{Rate{30000, 1001}, 30000 * 315_000, 1001 * 315_000 * time.Second},
		{Rate{math.MaxUint32, math.MaxUint32}, 5, 5 * time.Second},
	}
	for _, test := range tests {
		if got := test.rate.PTS(test.n); got != test.want {
			t.Errorf("%v: frame %d at %v, want %v", test.rate, test.n, got, test.want)
		}
	}
}

func TestRateValidate(t *testing.T) {
	tests := []struct {
		rate Rate
		ok   bool
	}{
		{Rate{25, 1}, true},
		{Rate{1000, 1}, true},
		{Rate{1001, 1}, false},
		{Rate{1, 3600}, true},
		{Rate{1, 3601}, false},
		{Rate{0, 1}, false},
		{Rate{1, 0}, false},
		{Rate{math.MaxUint32, math.MaxUint32}, true},
	}
	for _, test := range tests {
		if err := test.rate.Validate(); (err == nil) != test.ok {
			t.Errorf("%v: %v", test.rate, err)
		}
	}
}
