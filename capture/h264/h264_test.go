// SPDX-License-Identifier: Apache-2.0

package h264

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfig(t *testing.T) {
	good := Config{Width: 64, Height: 48, FrameRate: 10, BitRate: 500_000, KeyInterval: 5}
	for _, c := range []struct {
		name string
		edit func(*Config)
		err  string // "" for none
	}{
		{"good", func(c *Config) {}, ""},
		{"largest bit rate", func(c *Config) { c.BitRate = maxBitRate }, ""},
		{"odd width", func(c *Config) { c.Width = 63 }, "picture size 63x48"},
		{"no height", func(c *Config) { c.Height = 0 }, "picture size 64x0"},
		{"too many pixels", func(c *Config) { c.Width, c.Height = 1<<20, 1<<20 }, "pixels"},
		{"no frame rate", func(c *Config) { c.FrameRate = 0 }, "frame rate 0"},
		{"frame rate not a number", func(c *Config) { c.FrameRate = math.NaN() }, "frame rate NaN"},
		{"frame rate too high", func(c *Config) { c.FrameRate = 1001 }, "frame rate 1001"},
		{"negative bit rate", func(c *Config) { c.BitRate = -1 }, "bit rate -1"},
		{"bit rate beyond a C int", func(c *Config) { c.BitRate = 1 << 32 }, "bit rate 4294967296"},
		{"negative key interval", func(c *Config) { c.KeyInterval = -1 }, "key interval -1"},
		{"key interval beyond a C int", func(c *Config) { c.KeyInterval = 1 << 32 }, "key interval 4294967296"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			c.edit(&cfg)
			switch err := cfg.fill(); {
			case c.err == "" && err != nil:
				t.Fatal(err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Fatalf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct{ in, want Config }{
		{Config{Width: 1280, Height: 720, FrameRate: 15}, Config{1280, 720, 15, 1_382_400, 30}},
		{Config{Width: 64, Height: 48, FrameRate: 0.25}, Config{64, 48, 0.25, 400_000, 1}},
		{Config{Width: 8192, Height: 4096, FrameRate: 1000}, Config{8192, 4096, 1000, maxBitRate, 2000}},
		{Config{64, 48, 10, 1000, 7}, Config{64, 48, 10, 1000, 7}},
	} {
		got := c.in
		if err := got.fill(); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%+v: (-want +got)\n%s", c.in, d)
		}
	}
}
