// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"strings"
	"testing"
	"time"
)

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		err  string // "" for none
	}{
		{"defaults", func(c *Config) {}, ""},
		{"nothing before and after", func(c *Config) { c.PreRoll, c.Margin, c.PostRoll = 0, 0, 0 }, ""},
		{"the most", func(c *Config) {
			*c = Config{30 * time.Second, 10 * time.Second, time.Minute, time.Hour, 4 << 30, true}
		}, ""},
		{"the least", func(c *Config) { c.MaxLength, c.RingBytes = time.Second, 1<<20 }, ""},
		{"negative pre-roll", func(c *Config) { c.PreRoll = -1 }, "pre_roll -1ns"},
		{"long pre-roll", func(c *Config) { c.PreRoll = 31 * time.Second }, "pre_roll 31s"},
		{"negative margin", func(c *Config) { c.Margin = -1 }, "margin -1ns"},
		{"long margin", func(c *Config) { c.Margin = 11 * time.Second }, "margin 11s"},
		{"negative post-roll", func(c *Config) { c.PostRoll = -1 }, "post_roll -1ns"},
		{"long post-roll", func(c *Config) { c.PostRoll = 61 * time.Second }, "post_roll 1m1s"},
		{"short clips", func(c *Config) { c.MaxLength = 999 * time.Millisecond }, "max_length 999ms"},
		{"long clips", func(c *Config) { c.MaxLength = time.Hour + 1 }, "max_length 1h0m0.000000001s"},
		{"small ring", func(c *Config) { c.RingBytes = 1<<20 - 1 }, "ring_bytes 1048575"},
		{"large ring", func(c *Config) { c.RingBytes = 4<<30 + 1 }, "ring_bytes 4294967297"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.edit(&cfg)
			switch err := cfg.Validate(); {
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err+":")):
				t.Errorf("error %v, want one that begins with %q", err, c.err)
			}
		})
	}
}
