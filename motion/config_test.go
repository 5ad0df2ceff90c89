// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

var square = [][2]float64{{0.25, 0.25}, {0.75, 0.25}, {0.75, 0.75}, {0.25, 0.75}}

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		reason string // "" means valid
	}{
		{"zero sensitivity", func(c *Config) { c.Sensitivity = 0 }, "sensitivity"},
		{"NaN sensitivity", func(c *Config) { c.Sensitivity = math.NaN() }, "sensitivity"},
		{"negative area", func(c *Config) { c.MinArea = -0.1 }, "min_area"},
		{"area of more than all", func(c *Config) { c.MinArea = 1.1 }, "min_area"},
		{"no confirmation", func(c *Config) { c.Confirm = 0 }, "confirm"},
		{"more than the window", func(c *Config) { c.Confirm = 6 }, "confirm"},
		{"long window", func(c *Config) { c.Window = 65 }, "confirm"},
		{"longest window", func(c *Config) { c.Window = 64 }, ""},
		{"negative end", func(c *Config) { c.Off = -1 }, "end_after"},
		{"short absorb", func(c *Config) { c.Absorb = time.Millisecond }, "absorb"},
		{"long learn", func(c *Config) { c.Learn = 2 * time.Hour }, "learn"},
		{"no light", func(c *Config) { c.LightShare = 0 }, "light_share"},
		{"many zones", func(c *Config) {
			c.Zones = slices.Repeat([]Zone{{Kind: Ignore, Polygon: square}}, 65)
		}, "65 zones"},
		{"zone", func(c *Config) { c.Zones = []Zone{{Name: "door", Kind: Include, Polygon: square}} }, ""},
		{"ignore zone without a name", func(c *Config) { c.Zones = []Zone{{Kind: Ignore, Polygon: square}} }, ""},
		{"no name", func(c *Config) { c.Zones = []Zone{{Kind: Include, Polygon: square}} }, "no name"},
		{"no kind", func(c *Config) { c.Zones = []Zone{{Name: "door", Polygon: square}} }, `zone 1 ("door"): kind is ""`},
		{"two corners", func(c *Config) { c.Zones = []Zone{{Kind: Ignore, Polygon: square[:2]}} }, "2 corners"},
		{"many corners", func(c *Config) {
			c.Zones = []Zone{{Kind: Ignore, Polygon: slices.Repeat(square, 65)}}
		}, "260 corners"},
		{"corner outside", func(c *Config) {
			c.Zones = []Zone{{Kind: Ignore, Polygon: [][2]float64{{0, 0}, {1, 0}, {1, 1.01}}}}
		}, "corner 3"},
		{"corner nowhere", func(c *Config) {
			c.Zones = []Zone{{Kind: Ignore, Polygon: [][2]float64{{0, 0}, {math.NaN(), 0}, {1, 1}}}}
		}, "corner 2"},
		{"zone's sensitivity", func(c *Config) {
			c.Zones = []Zone{{Kind: Ignore, Sensitivity: 11, Polygon: square}}
		}, "sensitivity is 11"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := DefaultConfig()
			test.change(&c)
			err := c.Validate()
			switch {
			case test.reason == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)):
				t.Errorf("got %v, want an error with %q", err, test.reason)
			}
			if _, err2 := New(c, 64, 64); (err == nil) != (err2 == nil) {
				t.Errorf("New says %v, Validate %v", err2, err)
			}
		})
	}
}

func TestConfigNamesAllErrors(t *testing.T) {
	err := Config{}.Validate()
	for _, field := range []string{"sensitivity", "confirm", "absorb", "light_share"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%q is not in: %v", field, err)
		}
	}
}

func TestNewRefusesSizes(t *testing.T) {
	for _, size := range [][2]int{{0, 8}, {8, 0}, {-8, 8}, {maxSize + 1, 8}, {8, maxSize + 1}} {
		if _, err := New(DefaultConfig(), size[0], size[1]); err == nil {
			t.Errorf("%dx%d: no error", size[0], size[1])
		}
	}
}

// TestZoneMap draws zones on 4x4 blocks; a letter is a block's weight.
func TestZoneMap(t *testing.T) {
	left := [][2]float64{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}
	hourglass := [][2]float64{{0.01, 0}, {0.99, 0}, {0.01, 1}, {0.99, 1}} // crosses itself, misses the corners' centres
	tests := []struct {
		name        string
		sensitivity float64
		zones       []Zone
		want        string // weights: . is 0, 1 is fixed, 2 is fixed/2, h is 2*fixed
	}{
		{"none", 1, nil, "1111 1111 1111 1111"},
		{"sensitive", 2, nil, "2222 2222 2222 2222"},
		{"include", 1, []Zone{{Name: "a", Kind: Include, Polygon: square}}, ".... .11. .11. ...."},
		{"ignore", 1, []Zone{{Kind: Ignore, Polygon: square}}, "1111 1..1 1..1 1111"},
		{"ignore wins", 1, []Zone{{Name: "a", Kind: Include, Polygon: left}, {Kind: Ignore, Polygon: square}},
			"11.. 1... 1... 11.."},
		{"the highest wins", 1, []Zone{{Name: "a", Kind: Include, Sensitivity: 2, Polygon: square},
			{Name: "b", Kind: Include, Sensitivity: 0.5, Polygon: left}}, "hh.. h22. h22. hh.."},
		{"multiplied", 0.5, []Zone{{Name: "a", Kind: Include, Sensitivity: 2, Polygon: square}}, ".... .11. .11. ...."},
		{"hourglass", 1, []Zone{{Name: "a", Kind: Include, Polygon: hourglass}}, ".11. .... .... .11."},
	}
	letters := map[uint16]byte{0: '.', fixed: '1', fixed / 2: '2', 2 * fixed: 'h'}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Sensitivity, c.Zones = test.sensitivity, test.zones
			var got []byte
			for i, w := range newZoneMap(newGrid(32, 32), c).weight {
				if i > 0 && i%4 == 0 {
					got = append(got, ' ')
				}
				got = append(got, letters[w])
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
