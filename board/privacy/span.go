// SPDX-License-Identifier: Apache-2.0

package privacy

import (
	"fmt"
	"strings"
	"time"
)

// Span is a span of the week, by the camera's clock on the wall: "mon-fri 08:00-17:00", "sat 20:00-08:00" into sunday, or
// "22:00-06:00" each day.
type Span struct {
	days     [7]bool // in which it begins, sunday first
	from, to int     // minutes of the day; to the same or less: of the next day
	text     string
}

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseSpan reads a span.
func ParseSpan(text string) (Span, error) {
	s := Span{text: text}
	bad := func() (Span, error) {
		return Span{}, fmt.Errorf("span %.40q: want a time such as 22:00-06:00, or days before it, such as mon-fri 08:00-17:00", text)
	}
	days, hours, found := strings.Cut(text, " ")
	if !found {
		days, hours = "sun-sat", text
	}
	first, last, isRange := strings.Cut(days, "-")
	if !isRange {
		last = first
	}
	begin, end := day(first), day(last)
	if begin < 0 || end < 0 {
		return bad()
	}
	for d := begin; ; d = (d + 1) % 7 {
		s.days[d] = true
		if d == end {
			break
		}
	}
	from, to, ok := strings.Cut(hours, "-")
	var okFrom, okTo bool
	s.from, okFrom = minutes(from)
	s.to, okTo = minutes(to)
	if !ok || !okFrom || !okTo || s.from == s.to {
		return bad()
	}
	return s, nil
}

func day(name string) int {
	for i, n := range dayNames {
		if n == name {
			return i
		}
	}
	return -1
}

// minutes reads 00:00 to 23:59.
func minutes(s string) (int, bool) {
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil && len(s) == len("15:04")
}

// Contains tells whether a time is in the span; the end is not. A day has its clock's 24 hours, also when that is set in spring.
func (s Span) Contains(t time.Time) bool {
	now, today := t.Hour()*60+t.Minute(), t.Weekday()
	yesterday := (today + 6) % 7
	if s.from < s.to {
		return s.days[today] && now >= s.from && now < s.to
	}
	return s.days[today] && now >= s.from || s.days[yesterday] && now < s.to
}

// String returns the text that was parsed.
func (s Span) String() string { return s.text }

// MarshalText implements [encoding.TextMarshaler].
func (s Span) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Span) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSpan(string(text))
	return err
}
