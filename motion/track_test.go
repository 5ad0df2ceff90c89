// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"testing"
	"time"
)

// feed shows the tracks one frame: s is a region with enough strong blocks, w one with too few. It is at block x.
func (d *Detector) feed(c byte, x int, pts time.Duration) {
	d.tracks.begin()
	stay := false
	if c != '.' {
		k := d.tracks.match(region{x0: x, y0: 2, x1: x + 3, y1: 5}, c == 's', pts)
		stay = k != nil && k.known
	}
	d.decide(d.tracks.end(d.cfg, pts), stay, pts)
}

// TestDecide feeds the hysteresis itself, by a region that goes one block to the right in each frame.
func TestDecide(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"three in a row", "..sss......", "----MMM----"},
		{"three of five", "s.s.s", "----M"},
		{"three of six", "s.s..s", "------"},
		{"two", "ss....ss...", "-----------"},
		{"weak does not begin", "wwwwwwwww", "---------"},
		{"weak keeps", "ssswwwwwwwwwww", "--MMMMMMMMMMMM"},
		{"again needs three", "sss......ss.s", "--MMM-------M"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := New(DefaultConfig(), 64, 64)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for i, c := range []byte(test.in) {
				d.feed(c, i, time.Duration(i)*100*time.Millisecond)
				if d.moving {
					got = append(got, 'M')
				} else {
					got = append(got, '-')
				}
			}
			if string(got) != test.want {
				t.Errorf("%s\ngot  %s\nwant %s", test.in, got, test.want)
			}
		})
	}
}

func TestDecideOnset(t *testing.T) {
	d, err := New(DefaultConfig(), 64, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []byte("s......s.ss") { // the first one is too old
		d.feed(c, i, time.Duration(i)*time.Second)
	}
	if !d.moving || d.onset != 7*time.Second {
		t.Errorf("moving %v, onset %v, want true, 7s", d.moving, d.onset)
	}
}

// TestTrackMustMove: what stays where it is needs longer, and what comes up all over the picture never is motion.
func TestTrackMustMove(t *testing.T) {
	const frame = 100 * time.Millisecond
	tests := []struct {
		name string
		at   func(i int) int
		want time.Duration // from the first frame, or 0 for never
	}{
		{"walks", func(i int) int { return i }, 2 * frame},
		{"stays", func(int) int { return 3 }, persistent},
		{"jumps", func(i int) int { return i * 7 % 31 }, 0},
	}
	for _, test := range tests {
		d, err := New(DefaultConfig(), 8*40, 64)
		if err != nil {
			t.Fatal(err)
		}
		got := time.Duration(0)
		for i := range 40 {
			d.feed('s', test.at(i), time.Duration(i)*frame)
			if d.moving && got == 0 {
				got = time.Duration(i) * frame
			}
		}
		if got != test.want {
			t.Errorf("%s: motion after %v, want %v", test.name, got, test.want)
		}
	}
}

// TestTrackTooShort: a drop crosses the picture in three frames at 30 per second.
func TestTrackTooShort(t *testing.T) {
	d, err := New(DefaultConfig(), 8*40, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		d.feed('s', i, time.Duration(i)*33*time.Millisecond)
	}
	if d.moving {
		t.Error("motion after 0.1 s")
	}
}

// TestTracksAreBounded: more regions than there is room for are not followed, and nothing breaks.
func TestTracksAreBounded(t *testing.T) {
	var k tracks
	for range 2 {
		k.begin()
		for i := range 2 * maxTracks {
			got := k.match(region{x0: 10 * i, y0: 0, x1: 10*i + 2, y1: 2}, true, 0)
			if (got == nil) != (i >= maxTracks) {
				t.Errorf("region %d: track %v", i, got)
			}
		}
		k.end(DefaultConfig(), 0)
	}
	for range DefaultConfig().Window {
		k.begin()
		k.end(DefaultConfig(), 0)
	}
	if k.n != 0 {
		t.Errorf("%d tracks after a window without regions, want none", k.n)
	}
}
