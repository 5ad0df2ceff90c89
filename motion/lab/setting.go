// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// knobs are the fields of motion.Config by their names in the agent's configuration.
var knobs = []struct {
	key string
	set func(c *motion.Config, text string) error
}{
	{"sensitivity", func(c *motion.Config, s string) error { return number(&c.Sensitivity, s) }},
	{"min_area", func(c *motion.Config, s string) error { return number(&c.MinArea, s) }},
	{"confirm", func(c *motion.Config, s string) error { return count(&c.Confirm, s) }},
	{"window", func(c *motion.Config, s string) error { return count(&c.Window, s) }},
	{"end_after", func(c *motion.Config, s string) error { return duration(&c.Off, s) }},
	{"absorb", func(c *motion.Config, s string) error { return duration(&c.Absorb, s) }},
	{"learn", func(c *motion.Config, s string) error { return duration(&c.Learn, s) }},
	{"light_share", func(c *motion.Config, s string) error { return number(&c.LightShare, s) }},
}

// Keys returns the names that Set knows.
func Keys() []string {
	var keys []string
	for _, k := range knobs {
		keys = append(keys, k.key)
	}
	return keys
}

// Set changes one field of a configuration; the pair is of the form key=value. What the values may be together is up to
// motion.Config's Validate.
func Set(c *motion.Config, pair string) error {
	key, text, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("setting %q is not of the form key=value", pair)
	}
	for _, k := range knobs {
		if k.key == key {
			if err := k.set(c, text); err != nil {
				return fmt.Errorf("setting %s: %w", key, err)
			}
			return nil
		}
	}
	return fmt.Errorf("setting %q is unknown, use one of %s", key, strings.Join(Keys(), ", "))
}

// Configure returns the detector's defaults with the pairs set.
func Configure(pairs []string) (motion.Config, error) {
	c := motion.DefaultConfig()
	for _, p := range pairs {
		if err := Set(&c, p); err != nil {
			return c, err
		}
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("settings %s: %w", strings.Join(pairs, " "), err)
	}
	return c, nil
}

func number(p *float64, s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) {
		return fmt.Errorf("%q is not a number", s)
	}
	*p = x
	return nil
}

func count(p *int, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", s)
	}
	*p = n
	return nil
}

func duration(p *time.Duration, s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a time such as 600ms or 3s", s)
	}
	*p = d
	return nil
}
