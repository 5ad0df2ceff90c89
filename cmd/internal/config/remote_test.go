// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOverlay(t *testing.T) {
	base := Default()
	base.Clip.PreRoll = 5 * time.Second
	got, err := base.Overlay([]byte("motion:\n  sensitivity: 2\nclip:\n  post_roll: 4s\n"))
	want := base
	want.Motion.Sensitivity, want.Clip.PostRoll = 2, 4*time.Second
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := base.Overlay(nil); err != nil || !reflect.DeepEqual(got, base) {
		t.Errorf("nothing: %+v, %v", got, err)
	}
	for text, say := range map[string]string{
		"motion: {sensitivity: 100}":            "sensitivity",
		"motion: {sensitivty: 1}":               `did you mean "sensitivity"`,
		"state: /tmp":                           "state is not set from afar",
		"camera: {source: replay, path: /etc}":  "camera is not set from afar",
		"log: debug":                            "log is not set from afar",
		"spool: {max_bytes: 1}":                 "spool is not set from afar",
		"clip: {pre_roll: 1h}":                  "pre_roll",
		"- 1":                                   "the file",
		"{":                                     "",
		"#" + strings.Repeat("x", maxRemote):    "more than",
		"clip: {post_roll: 1s}\n---\nstate: /x": "documents",
		"? state\n: /tmp\n":                     "",
	} {
		if _, err := base.Overlay([]byte(text)); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%.40q: %v, want %q", text, err, say)
		}
	}
}

// FuzzOverlay checks that nothing set from afar changes what is not.
func FuzzOverlay(f *testing.F) {
	f.Add([]byte("motion:\n  zones: []\nclip: {pre_roll: 1s}\n"))
	f.Add([]byte("a: &a {state: /x}\n<<: *a\n"))
	base := Default()
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := base.Overlay(text)
		if err == nil && (c.State != base.State || c.Camera != base.Camera || c.Log != base.Log || c.Spool != base.Spool) {
			t.Fatalf("changed by %q: %+v", text, c)
		}
	})
}
