// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

func TestTopics(t *testing.T) {
	for kind, want := range map[wire.Kind]struct {
		topic string
		up    bool
	}{
		wire.UpOffer:     {"nightjar/v1/front-door/up/offer", true},
		wire.UpChunk:     {"nightjar/v1/front-door/up/chunk", true},
		wire.UpStatus:    {"nightjar/v1/front-door/up/status", true},
		wire.UpResult:    {"nightjar/v1/front-door/up/result", true},
		wire.DownWelcome: {"nightjar/v1/front-door/down/welcome", false},
		wire.DownCommand: {"nightjar/v1/front-door/down/command", false},
		wire.DownHave:    {"nightjar/v1/front-door/down/have", false},
		wire.DownReceipt: {"nightjar/v1/front-door/down/receipt", false},
		wire.DownRefuse:  {"nightjar/v1/front-door/down/refuse", false},
	} {
		topic := wire.Topic("front-door", kind)
		if topic != want.topic || kind.Up() != want.up {
			t.Errorf("topic %s, up %v, want %v", topic, kind.Up(), want)
		}
		if device, got, err := wire.ParseTopic(topic); device != "front-door" || got != kind || err != nil {
			t.Errorf("%s: got %q, %q, %v", topic, device, got, err)
		}
		if below := strings.HasPrefix(topic, strings.TrimSuffix(wire.Filter("front-door"), "#")); below == want.up {
			t.Errorf("%s: matched by the filter %s: %v", topic, wire.Filter("front-door"), below)
		}
	}
}

func TestParseTopicRefuses(t *testing.T) {
	for _, topic := range []string{
		"", "/", "#", "+", "nightjar", "nightjar/v1/", "nightjar/v1/front-door", "nightjar/v1/front-door/", "nightjar/v1//up/offer",
		"/nightjar/v1/front-door/up/offer", "nightjar/v2/front-door/up/offer", "other/v1/front-door/up/offer", "front-door/up/offer",
		"Nightjar/v1/front-door/up/offer", "$SYS/nightjar/v1/front-door/up/offer", "nightjar/v1/+/up/offer", "nightjar/v1/#",
		"nightjar/v1/front-door/+/offer", "nightjar/v1/front-door/up/+", "nightjar/v1/front-door/up/#", "nightjar/v1/front-door/up/offer/",
		"nightjar/v1/front-door/up/offer/more", "nightjar/v1/front-door/up/other", "nightjar/v1/front-door/up", "nightjar/v1/front-door/UP/offer",
		"nightjar/v1/Front/up/offer", "nightjar/v1/../up/offer", "nightjar/v1/-a/up/offer", "nightjar/v1/a-/up/offer", "nightjar/v1/a\x00b/up/offer",
		"nightjar/v1/" + strings.Repeat("a", 64) + "/up/offer", strings.Repeat("x", 1<<16),
	} {
		if device, kind, err := wire.ParseTopic(topic); err == nil || device != "" || kind != "" || len(err.Error()) > 400 {
			t.Errorf("%.80q: got %q, %q, %v", topic, device, kind, err)
		}
	}
}

// FuzzParseTopic checks that a topic has one form, and that its device is one by the rule of package keys.
func FuzzParseTopic(f *testing.F) {
	f.Add("nightjar/v1/front-door/up/offer")
	f.Add("nightjar/v1/+/down/#")
	f.Fuzz(func(t *testing.T, topic string) {
		device, kind, err := wire.ParseTopic(topic)
		if err != nil {
			return
		}
		if again := wire.Topic(device, kind); again != topic {
			t.Fatalf("%q is written as %q", topic, again)
		}
		if err := keys.ValidDevice(device); err != nil {
			t.Fatal(err)
		}
	})
}

// Two packages have the rule of device ids; they must agree.
func TestDeviceRule(t *testing.T) {
	ids := []string{"", "-", "a-", strings.Repeat("a", 63), strings.Repeat("a", 64)}
	for c := range 0x180 {
		ids = append(ids, string(rune(c)), "a"+string(rune(c))+"b")
	}
	for _, id := range ids {
		_, _, err := wire.ParseTopic(wire.Topic(id, wire.UpOffer))
		if want := keys.ValidDevice(id); (err == nil) != (want == nil) {
			t.Errorf("device %q: topic says %v, keys says %v", id, err, want)
		}
	}
}
