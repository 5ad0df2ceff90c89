// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"errors"
	"fmt"
	"time"
)

// Config says what counts as motion. The zero value is not valid; start from DefaultConfig.
type Config struct {
	// Sensitivity divides the difference a sample must show: 2 sees half the contrast, 0.5 needs twice. From 0.1 to 10.
	Sensitivity float64 `yaml:"sensitivity"`
	// MinArea is the smallest connected area that counts, as a share of the picture, from 0 to 1; never less
	// than three blocks, see Detector.Grid.
	MinArea float64 `yaml:"min_area"`
	// Motion begins when Confirm of the last Window frames show it. 1 <= Confirm <= Window <= 64.
	Confirm int `yaml:"confirm"`
	Window  int `yaml:"window"`
	// Off is how long nothing must move until motion ends, up to a minute.
	Off time.Duration `yaml:"end_after"`
	// Absorb is how long a changed area must be still until it belongs to the background: a parked car, or the
	// hole that one left behind. From 100ms to an hour.
	Absorb time.Duration `yaml:"absorb"`
	// Learn is how long the detector only watches after its first frame, up to an hour.
	Learn time.Duration `yaml:"learn"`
	// LightShare is the share of the picture, above 0 and up to 1, that must brighten or darken at once to be taken
	// for a lamp, the sun, or the camera's exposure.
	LightShare float64 `yaml:"light_share"`
	// Zones narrow the picture down. Without an include zone the whole picture counts.
	Zones []Zone `yaml:"zones"`
}

// DefaultConfig returns a configuration for rooms and gardens.
func DefaultConfig() Config {
	return Config{
		Sensitivity: 1,
		MinArea:     0.003,
		Confirm:     3,
		Window:      5,
		Off:         300 * time.Millisecond,
		Absorb:      3 * time.Second,
		Learn:       2 * time.Second,
		LightShare:  0.4,
	}
}

// Validate returns an error that names every field out of its range.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Sensitivity >= 0.1 && c.Sensitivity <= 10, "sensitivity is %v, set it between 0.1 and 10", c.Sensitivity)
	check(c.MinArea >= 0 && c.MinArea <= 1, "min_area is %v, set it between 0 and 1", c.MinArea)
	check(c.Confirm >= 1 && c.Confirm <= c.Window && c.Window <= 64,
		"confirm is %d of a window of %d, set 1 <= confirm <= window <= 64", c.Confirm, c.Window)
	check(c.Off >= 0 && c.Off <= time.Minute, "end_after is %v, set it between 0s and 1m", c.Off)
	check(c.Absorb >= 100*time.Millisecond && c.Absorb <= time.Hour,
		"absorb is %v, set it between 100ms and 1h", c.Absorb)
	check(c.Learn >= 0 && c.Learn <= time.Hour, "learn is %v, set it between 0s and 1h", c.Learn)
	check(c.LightShare > 0 && c.LightShare <= 1, "light_share is %v, set it above 0 and up to 1", c.LightShare)
	check(len(c.Zones) <= maxZones, "%d zones, use at most %d", len(c.Zones), maxZones)
	for i, z := range c.Zones {
		if err := z.validate(); err != nil {
			errs = append(errs, fmt.Errorf("zone %d (%q): %w", i+1, z.Name, err))
		}
	}
	return errors.Join(errs...)
}
