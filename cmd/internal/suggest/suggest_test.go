// SPDX-License-Identifier: Apache-2.0

package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	keys := []string{"source", "path", "speed", "loop", "pre_roll", "post_roll"}
	for _, tt := range []struct{ word, want string }{
		{"source", "source"},
		{"sorce", "source"},     // a letter too few
		{"speeed", "speed"},     // one too many
		{"lopo", "loop"},        // two swapped
		{"preroll", "pre_roll"}, // no underscore
		{"pre-roll", "pre_roll"},
		{"pst_rool", "post_roll"}, // two edits in eight letters
		{"pat", "path"},
		{"xyz", ""},
		{"", ""},
		{strings.Repeat("a", 1<<20), ""},
	} {
		if got := Nearest(tt.word, keys); got != tt.want {
			t.Errorf("Nearest(%.20q) = %q, want %q", tt.word, got, tt.want)
		}
	}
	if got := Nearest("word", nil); got != "" {
		t.Errorf("nearest of nothing: %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"kitten", "sitting", 3},
		{"ab", "ba", 1},
		{"abcd", "acbd", 1},
		{"ca", "abc", 3}, // optimal string alignment edits no pair twice
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
