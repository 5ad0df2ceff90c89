// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// taken is one picture: when it came, its record, and what it has to be.
type taken struct {
	now    time.Duration
	record record
	seq    uint64
	pts    time.Duration
}

func TestStamps(t *testing.T) {
	const boot = 1000 * time.Second // on the sensor's clock when the source was opened
	at := func(d time.Duration) record { return record{at: boot + d, duration: 100 * ms} }
	for name, pictures := range map[string][]taken{
		"by the sensor's time": {
			{520 * ms, at(500 * ms), 0, 500 * ms}, {690 * ms, at(600 * ms), 1, 600 * ms}, {705 * ms, at(700 * ms), 2, 700 * ms},
		},
		"lost frames": {
			{500 * ms, at(500 * ms), 0, 500 * ms}, {900 * ms, at(800 * ms), 3, 800 * ms}, {900 * ms, at(940 * ms), 4, 940 * ms},
			{1200 * ms, at(1100 * ms), 6, 1100 * ms}, // 160 ms are nearer to two
		},
		"no time from the sensor": {
			{500 * ms, record{}, 0, 500 * ms}, {610 * ms, record{}, 1, 610 * ms}, {910 * ms, record{}, 4, 910 * ms},
		},
		"another clock": {
			{500 * ms, record{at: 7 * ms}, 0, 500 * ms}, {610 * ms, record{at: 107 * ms}, 1, 600 * ms},
		},
		"a clock that stands or goes back": {
			{500 * ms, at(500 * ms), 0, 500 * ms}, {600 * ms, at(500 * ms), 1, 500*ms + least}, {700 * ms, at(100 * ms), 2, 500*ms + 2*least},
			{800 * ms, at(800 * ms), 5, 800 * ms},
		},
		"taken before the source was opened": {
			{10 * ms, at(-20 * ms), 0, 0}, {100 * ms, at(80 * ms), 1, 100 * ms},
		},
		"an absurd duration": {
			{500 * ms, at(500 * ms), 0, 500 * ms}, {700 * ms, record{at: boot + 700*ms, duration: time.Hour}, 2, 700 * ms},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := stamps{interval: 100 * ms}
			for i, p := range pictures {
				if err := s.take(p.record, p.now, boot+p.now); err != nil {
					t.Fatal(err)
				}
				if s.seq != p.seq || s.pts != p.pts {
					t.Errorf("picture %d: frame %d at %v, want %d at %v", i, s.seq, s.pts, p.seq, p.pts)
				}
			}
		})
	}
}

// A machine that stands still for a while gets old pictures, and then good ones. Only when they stay old something is wrong.
func TestStampsOldPictures(t *testing.T) {
	s := stamps{interval: 100 * ms}
	take := func(n int, late time.Duration) error {
		at := time.Duration(n) * 100 * ms
		return s.take(record{at: time.Second + at}, at+late, time.Second+at+late)
	}
	n := 0
	for range 3 {
		for _, late := range []time.Duration{0, time.Minute} {
			for range lateInARow - 1 {
				if n++; take(n, late) != nil {
					t.Fatalf("picture %d, %v late", n, late)
				}
			}
		}
	}
	var err error
	for range lateInARow {
		n++
		err = take(n, 3*time.Second)
	}
	if err == nil {
		t.Error("pictures that stay old are no error")
	}
}
