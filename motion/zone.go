// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"fmt"
	"math"
)

// Kinds of a Zone.
const (
	Include = "include" // only what moves in include zones counts
	Ignore  = "ignore"  // nothing in here counts, even inside an include zone
)

const (
	maxZones  = 64  // one bit each
	maxPoints = 256 // corners of a polygon
)

// Zone is a part of the picture with rules of its own.
type Zone struct {
	// Name is what Result.Zones calls the zone. It may be empty for an ignore zone only.
	Name string `yaml:"name"`
	// Kind is Include or Ignore.
	Kind string `yaml:"kind"`
	// Sensitivity multiplies Config.Sensitivity inside an include zone, from 0.1 to 10; 0 means 1. Where zones
	// overlap, the highest holds.
	Sensitivity float64 `yaml:"sensitivity"`
	// Polygon has 3 to 256 corners, each {x, y} with 0 <= x, y <= 1 from the upper left. A block belongs to the
	// zone when its centre is inside (even-odd rule).
	Polygon [][2]float64 `yaml:"polygon"`
}

func (z Zone) validate() error {
	switch {
	case z.Kind != Include && z.Kind != Ignore:
		return fmt.Errorf("kind is %q, write %s or %s", z.Kind, Include, Ignore)
	case z.Kind == Include && z.Name == "":
		return fmt.Errorf("no name, an include zone needs one")
	case z.Sensitivity != 0 && !(z.Sensitivity >= 0.1 && z.Sensitivity <= 10):
		return fmt.Errorf("sensitivity is %v, set it between 0.1 and 10", z.Sensitivity)
	case len(z.Polygon) < 3 || len(z.Polygon) > maxPoints:
		return fmt.Errorf("polygon has %d corners, give 3 to %d", len(z.Polygon), maxPoints)
	}
	for i, p := range z.Polygon {
		if !(p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1) {
			return fmt.Errorf("corner %d is %v, give shares of the picture from 0 to 1", i+1, p)
		}
	}
	return nil
}

// contains tells whether the point is inside the polygon, by the even-odd rule.
func (z Zone) contains(x, y float64) bool {
	in := false
	for i, a := range z.Polygon {
		b := z.Polygon[(i+1)%len(z.Polygon)]
		if (a[1] > y) != (b[1] > y) && x < a[0]+(y-a[1])*(b[0]-a[0])/(b[1]-a[1]) {
			in = !in
		}
	}
	return in
}

// fixed is the denominator of block weights.
const fixed = 16

// zoneMap is the zones drawn on a grid.
type zoneMap struct {
	// weight is per block the factor by which its threshold is multiplied, in 1/fixed. 0 means that the block
	// does not count.
	weight []uint16
	// member has per block the bit 1<<i set if it lies in include zone i of Config.Zones.
	member []uint64
}

func newZoneMap(g grid, c Config) zoneMap {
	m := zoneMap{weight: make([]uint16, g.blocks()), member: make([]uint64, g.blocks())}
	everywhere := true
	for _, z := range c.Zones {
		everywhere = everywhere && z.Kind != Include
	}
	for b := range m.weight {
		x0, y0, x1, y1 := g.bounds(b)
		x, y := float64(x0+x1)/2/float64(g.w), float64(y0+y1)/2/float64(g.h)
		sensitivity, ignored := 0.0, false
		if everywhere {
			sensitivity = 1
		}
		for i, z := range c.Zones {
			if !z.contains(x, y) {
				continue
			}
			if z.Kind == Ignore {
				ignored = true
				break
			}
			m.member[b] |= 1 << i
			if z.Sensitivity == 0 {
				z.Sensitivity = 1
			}
			sensitivity = max(sensitivity, z.Sensitivity)
		}
		if ignored {
			m.member[b] = 0
			continue
		}
		if sensitivity > 0 {
			m.weight[b] = uint16(max(1, math.Round(fixed/(sensitivity*c.Sensitivity))))
		}
	}
	return m
}
