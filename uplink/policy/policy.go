// SPDX-License-Identifier: Apache-2.0

// Package policy says when a clip is uploaded. [Config.Decide] gives the word that a clip gets when it is recorded, the first
// rule that fits; [Hours.Contain] tells whether a time lies in a span of the day. It is a leaf: it knows clips by what the
// rules look at, and sends nothing. Record and sealed details of a clip are sent at once, whatever the word.
package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// When says when a clip goes.
type When string

const (
	Now     When = "now"     // as soon as the link lets it
	Idle    When = "idle"    // while nothing is recorded, in the hours given for that
	Request When = "request" // when it is asked for
	Never   When = "never"   // not at all: it stays on the camera until its room is needed
)

// Values of Config.Order.
const (
	Oldest = "oldest"
	Newest = "newest"
)

// Bounds of a configuration.
const (
	maxRules = 32
	maxName  = 64
	maxRate  = 1_000_000 // kbit/s
)

// Config is the policy. The zero value is not valid: see [DefaultConfig].
type Config struct {
	Order     string `yaml:"order"`      // of clips that may go: Oldest or Newest first
	RateKbit  int    `yaml:"rate_kbit"`  // bound of the clips' bits on the link, kbit/s; 0 for none
	IdleHours Hours  `yaml:"idle_hours"` // in which clips go that wait until the camera is idle; empty: at any time
	Rules     []Rule `yaml:"rules"`      // the first that fits counts; none: Now
}

// Rule gives a word to the clips that all of its conditions fit. A condition that is not given fits every clip.
type Rule struct {
	Zone     string `yaml:"zone"`      // motion was seen in this zone
	Hours    Hours  `yaml:"hours"`     // the clip starts in them
	MinBytes int64  `yaml:"min_bytes"` // the sealed clip has so many bytes or more
	Link     string `yaml:"link"`      // pattern of the network interface in use: wwan*, wlan0
	Upload   When   `yaml:"upload"`
}

// Clip is what rules look at.
type Clip struct {
	Zones []string
	Start time.Time // in the camera's time zone; zero when the clock is not set, and then no hours fit
	Bytes int64     // of the sealed clip
	Link  string    // interface of the default route; empty for none, and then no link fits
}

// DefaultConfig sends everything at once, the oldest first.
func DefaultConfig() Config { return Config{Order: Oldest} }

// BytesPerSecond is the bound of the link; 0 for none.
func (c Config) BytesPerSecond() int64 { return int64(c.RateKbit) * 1000 / 8 }

// Decide returns the word for a clip.
func (c Config) Decide(clip Clip) When {
	for _, r := range c.Rules {
		if r.fits(clip) {
			return r.Upload
		}
	}
	return Now
}

func (r Rule) fits(c Clip) bool {
	if r.Zone != "" && !slices.Contains(c.Zones, r.Zone) || c.Bytes < r.MinBytes {
		return false
	}
	if r.Hours != "" && (c.Start.IsZero() || !r.Hours.Contain(c.Start)) {
		return false
	}
	if r.Link == "" {
		return true
	}
	match, err := path.Match(r.Link, c.Link)
	return err == nil && match && c.Link != ""
}

// Validate says what is wrong and what may be written instead.
func (c Config) Validate() error {
	if c.Order != Oldest && c.Order != Newest {
		return fmt.Errorf("order: %q: available are %s and %s", c.Order, Oldest, Newest)
	}
	if c.RateKbit < 0 || c.RateKbit > maxRate {
		return fmt.Errorf("rate_kbit: %d: must be 0, for no bound, to %d", c.RateKbit, maxRate)
	}
	if err := c.IdleHours.validate(); err != nil {
		return fmt.Errorf("idle_hours: %w", err)
	}
	if len(c.Rules) > maxRules {
		return fmt.Errorf("rules: %d, at most %d are possible", len(c.Rules), maxRules)
	}
	for i, r := range c.Rules {
		if err := r.validate(); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
		if unconditional := (Rule{Upload: r.Upload}); r == unconditional && i+1 < len(c.Rules) {
			return fmt.Errorf("rule %d: it has no condition, so rule %d never counts: put it last", i+1, i+2)
		}
	}
	return nil
}

func (r Rule) validate() error {
	if err := r.Hours.validate(); err != nil {
		return fmt.Errorf("hours: %w", err)
	}
	if r.MinBytes < 0 {
		return fmt.Errorf("min_bytes: %d: must not be negative", r.MinBytes)
	}
	if len(r.Zone) > maxName || len(r.Link) > maxName {
		return fmt.Errorf("zone or link has more than %d bytes", maxName)
	}
	if _, err := path.Match(r.Link, ""); err != nil {
		return fmt.Errorf("link: %q: not a pattern: write the name of an interface, or a part of it and *", r.Link)
	}
	switch r.Upload {
	case Now, Idle, Request, Never:
		return nil
	case "":
		return errors.New("upload is missing: give now, idle, request or never")
	}
	return fmt.Errorf("upload: %q: available are now, idle, request and never", r.Upload)
}

// Hours is a span of the day in local time, as 22:00-06:00: from the first minute up to, and without, the second. It may lie
// across midnight. Empty is the whole day.
type Hours string

// Contain tells whether a time lies in the span, by the clock of its own location.
func (h Hours) Contain(t time.Time) bool {
	from, to, err := h.parse()
	if err != nil {
		return false
	}
	minute := t.Hour()*60 + t.Minute()
	if from < to {
		return from <= minute && minute < to
	}
	return from <= minute || minute < to
}

func (h Hours) validate() error {
	_, _, err := h.parse()
	return err
}

// parse returns the minutes of the day, 0 to 1440.
func (h Hours) parse() (from, to int, err error) {
	if h == "" {
		return 0, 24 * 60, nil
	}
	bad := fmt.Errorf("%.20q: write a span of the day such as 22:00-06:00", string(h))
	if len(h) != len("22:00-06:00") || h[5] != '-' {
		return 0, 0, bad
	}
	from, ok1 := minutes(h[:5])
	to, ok2 := minutes(h[6:])
	if !ok1 || !ok2 || from == 24*60 {
		return 0, 0, bad
	}
	if from == to {
		return 0, 0, fmt.Errorf("%q: an empty span: write 00:00-24:00 for the whole day", string(h))
	}
	return from, to, nil
}

// minutes reads hh:mm, 00:00 to 24:00.
func minutes(s Hours) (int, bool) {
	for i, c := range []byte(s) {
		if (i == 2) != (c == ':') || i != 2 && (c < '0' || c > '9') {
			return 0, false
		}
	}
	hour, minute := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	return hour*60 + minute, minute < 60 && hour*60+minute <= 24*60
}
