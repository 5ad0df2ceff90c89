// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
	"time"
)

func at(clock string) time.Time {
	t, err := time.Parse("15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return t.AddDate(2026, 5, 1)
}

func TestDecide(t *testing.T) {
	rules := []Rule{
		{Zone: "street", Upload: Never},
		{Zone: "door", Hours: "22:00-06:00", Upload: Now},
		{Link: "wwan*", MinBytes: 1000, Upload: Request},
		{Hours: "08:00-18:00", Upload: Idle},
	}
	for _, tt := range []struct {
		name string
		clip Clip
		want When
	}{
		{"first match wins", Clip{Zones: []string{"door", "street"}, Start: at("23:00:00")}, Never},
		{"all conditions must fit", Clip{Zones: []string{"door"}, Start: at("12:00:00")}, Idle},
		{"zone at night", Clip{Zones: []string{"door"}, Start: at("23:00:00"), Link: "wwan0", Bytes: 5000}, Now},
		{"large on a mobile link", Clip{Link: "wwan0", Bytes: 1000, Start: at("12:00:00")}, Request},
		{"small on a mobile link", Clip{Link: "wwan0", Bytes: 999, Start: at("12:00:00")}, Idle},
		{"no link", Clip{Bytes: 5000, Start: at("12:00:00")}, Idle},
		{"clock is not set", Clip{Bytes: 5000}, Now},
		{"nothing fits", Clip{Start: at("20:00:00")}, Now},
	} {
		if got := (Config{Rules: rules}).Decide(tt.clip); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := (Config{Rules: []Rule{{Link: "*", Upload: Never}}}).Decide(Clip{}); got != Now {
		t.Errorf("no link fits *: %s", got)
	}
	if got := (Config{Rules: []Rule{{Hours: "00:00-23:59", Upload: Never}}}).Decide(Clip{}); got != Now {
		t.Errorf("a time that nobody knows fits hours: %s", got)
	}
}

func TestHours(t *testing.T) {
	for _, tt := range []struct {
		hours   Hours
		in, out []string
	}{
		{"", []string{"00:00:00", "12:34:56", "23:59:59"}, nil},
		{"00:00-24:00", []string{"00:00:00", "23:59:59"}, nil},
		{"08:00-18:30", []string{"08:00:00", "18:29:59"}, []string{"07:59:59", "18:30:00", "00:00:00"}},
		{"22:00-06:00", []string{"22:00:00", "23:59:59", "00:00:00", "05:59:59"}, []string{"21:59:59", "06:00:00", "12:00:00"}},
		{"22:00-00:00", []string{"22:00:00", "23:59:59"}, []string{"00:00:00", "21:59:59"}},
		{"nonsense", nil, []string{"00:00:00"}},
	} {
		for _, clock := range tt.in {
			if !tt.hours.Contain(at(clock)) {
				t.Errorf("%s is not in %q", clock, tt.hours)
			}
		}
		for _, clock := range tt.out {
			if tt.hours.Contain(at(clock)) {
				t.Errorf("%s is in %q", clock, tt.hours)
			}
		}
	}
	// Hours are those of the camera's own clock on the wall.
	berlin := time.FixedZone("CEST", 2*3600)
	if night := Hours("22:00-06:00"); !night.Contain(time.Date(2026, 6, 1, 20, 30, 0, 0, time.UTC).In(berlin)) {
		t.Error("22:30 in Berlin is not night")
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Order = "latest" }, `order: "latest": available are oldest and newest`},
		{func(c *Config) { c.RateKbit = -1 }, "rate_kbit: -1: must be 0"},
		{func(c *Config) { c.RateKbit = maxRate + 1 }, "rate_kbit"},
		{func(c *Config) { c.IdleHours = "22-6" }, `idle_hours: "22-6": write a span of the day such as 22:00-06:00`},
		{func(c *Config) { c.IdleHours = "22:00-25:00" }, "idle_hours"},
		{func(c *Config) { c.IdleHours = "24:00-06:00" }, "idle_hours"},
		{func(c *Config) { c.IdleHours = "22:60-06:00" }, "idle_hours"},
		{func(c *Config) { c.IdleHours = "22:00-22:00" }, "empty span: write 00:00-24:00"},
		{func(c *Config) { c.Rules = []Rule{{Zone: "door"}} }, "rule 1: upload is missing: give now, idle, request or never"},
		{func(c *Config) { c.Rules = []Rule{{Upload: Now}, {Upload: "later"}} }, "rule 1: it has no condition, so rule 2 never counts"},
		{func(c *Config) { c.Rules = []Rule{{Zone: "door", Upload: Now}, {Upload: "later"}} }, `rule 2: upload: "later": available are`},
		{func(c *Config) { c.Rules = []Rule{{Hours: "x", Upload: Now}} }, "rule 1: hours:"},
		{func(c *Config) { c.Rules = []Rule{{MinBytes: -1, Upload: Now}} }, "rule 1: min_bytes"},
		{func(c *Config) { c.Rules = []Rule{{Link: "[", Upload: Now}} }, "rule 1: link"},
		{func(c *Config) { c.Rules = []Rule{{Link: strings.Repeat("w", 65), Upload: Now}} }, "more than 64 bytes"},
		{func(c *Config) { c.Rules = make([]Rule, maxRules+1) }, "at most 32"},
	} {
		c := DefaultConfig()
		tt.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", c, err, tt.want)
		}
	}
	c := Config{Order: Newest, RateKbit: 512, IdleHours: "01:00-05:00", Rules: []Rule{{Zone: "door", Upload: Now}, {Upload: Never}}}
	if err := c.Validate(); err != nil || c.BytesPerSecond() != 64000 {
		t.Errorf("%v, %d bytes/s", err, c.BytesPerSecond())
	}
}

// A span is refused, or it and what it leaves of the day together are the day.
func FuzzHours(f *testing.F) {
	for _, s := range []string{"", "22:00-06:00", "00:00-24:00", "24:00-00:00", "1:00-2:00", "aa:bb-cc:dd", "12:00-12:00", "00:00-0000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := Hours(s)
		if h.validate() != nil || h == "" || h == "00:00-24:00" {
			return
		}
		rest := Hours(s[6:] + "-" + s[:5])
		rest = Hours(strings.Replace(string(rest), "24:00-", "00:00-", 1))
		for minute := range 24 * 60 {
			at := time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
			other := rest.validate() == nil && rest.Contain(at)
			if h.Contain(at) == other {
				t.Fatalf("%s is in both or neither of %q and %q", at.Format("15:04"), h, rest)
			}
		}
	})
}
