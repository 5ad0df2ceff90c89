// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// blocksOf draws blocks: # is strong, + weak, o strong but still for long.
func blocksOf(d *Detector, picture string, now time.Duration) {
	for i, c := range strings.ReplaceAll(picture, " ", "") {
		b := block{since: now, still: now}
		switch c {
		case '#':
			b.level = levelStrong
		case '+':
			b.level = levelWeak
		case 'o':
			b.level, b.since, b.still = levelStrong, now-2*time.Second, now-2*time.Second
		}
		b.differ = 64 * b.level / levelStrong
		d.blocks[i] = b
	}
}

func TestRegions(t *testing.T) {
	tests := []struct {
		name    string
		picture string // 8x4 blocks
		moving  bool
		strong  bool // a track begins
		area    int
		boxes   []Box
	}{
		{"nothing", "........ ........ ........ ........", false, false, 0, nil},
		{"two by a side", "##...... ........ ........ ........", false, true, 2, []Box{{0, 0, 0.25, 0.25}}},
		{"two by a corner", "........ .....#.. ......#. ........", false, true, 2, []Box{{0.625, 0.25, 0.875, 0.75}}},
		{"one is not enough", "#....... ........ ........ .......#", false, false, 0, nil},
		{"rows do not wrap", ".......# #....... ........ ........", false, false, 0, nil},
		{"weak does not begin", "#+++.... ........ ........ ........", false, false, 0, nil},
		{"weak goes on", "#+++.... ........ ........ ........", true, false, 4, []Box{{0, 0, 0.5, 0.25}}},
		{"weak alone is nothing", "++++++++ ++++++++ ++++++++ ++++++++", true, false, 0, nil},
		{"the largest first", "##...... ....#### ........ ###.....", false, true, 9,
			[]Box{{0.5, 0.25, 1, 0.5}, {0, 0.75, 0.375, 1}, {0, 0, 0.25, 0.25}}},
		{"a ring around one", "#####... #...#... #.#.#... #####...", false, true, 15, []Box{{0, 0, 0.625, 1}}},
		{"a still one", "ooooo... ........ ........ ........", true, false, 0, nil},
		{"a still one with a live corner", "oooo#... ........ ........ ........", false, true, 5, []Box{{0, 0, 0.625, 0.25}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := New(DefaultConfig(), 64, 32)
			if err != nil {
				t.Fatal(err)
			}
			blocksOf(d, test.picture, time.Minute)
			if test.moving { // something known was all over the picture
				d.tracks.list[0], d.tracks.n = track{x1: 8, y1: 4, known: true, hits: 1, haunt: haunt{since: time.Minute}}, 1
			}
			_, stay := d.regions(newPlane(64, 32), 2, time.Minute)
			strong := slices.ContainsFunc(d.tracks.list[:d.tracks.n], func(k track) bool { return k.strong })
			if strong != test.strong || d.find.area != test.area {
				t.Errorf("strong %v, area %d, want %v, %d", strong, d.find.area, test.strong, test.area)
			}
			if want := test.moving && test.area > 0; stay != want {
				t.Errorf("goes on %v, want %v", stay, want)
			}
			if boxes := d.find.boxes(nil, 1.0/64, 1.0/32); !slices.Equal(boxes, test.boxes) {
				t.Errorf("boxes %v, want %v", boxes, test.boxes)
			}
		})
	}
}

// TestManyRegions keeps the largest sixteen of more.
func TestManyRegions(t *testing.T) {
	d, err := New(DefaultConfig(), 8*200, 8*3)
	if err != nil {
		t.Fatal(err)
	}
	var row strings.Builder
	for n := 1; n < 19; n++ { // regions of 1 to 18 blocks
		row.WriteString(strings.Repeat("#", n) + ".")
	}
	row.WriteString(strings.Repeat(".", 200-row.Len()))
	blocksOf(d, strings.Repeat(".", 200)+row.String()+strings.Repeat(".", 200), time.Minute)
	d.regions(newPlane(8*200, 8*3), 2, time.Minute)
	if len(d.find.top) != maxBoxes {
		t.Fatalf("%d boxes, want %d", len(d.find.top), maxBoxes)
	}
	for i, r := range d.find.top {
		if r.blocks != 18-i {
			t.Errorf("box %d has %d blocks, want %d", i, r.blocks, 18-i)
		}
	}
	if want := 18*19/2 - 1; d.find.area != want {
		t.Errorf("area %d, want %d, of all regions but the one that is too small", d.find.area, want)
	}
}

// TestBoxesAtTheEdge: the last blocks are partial, boxes end with the picture.
func TestBoxesAtTheEdge(t *testing.T) {
	d, err := New(DefaultConfig(), 20, 12)
	if err != nil {
		t.Fatal(err)
	}
	blocksOf(d, ".## .##", time.Minute)
	d.regions(newPlane(20, 12), 2, time.Minute)
	if boxes := d.find.boxes(nil, 1.0/20, 1.0/12); !slices.Equal(boxes, []Box{{0.4, 0, 1, 1}}) {
		t.Errorf("got %v, want {0.4 0 1 1}", boxes)
	}
}
