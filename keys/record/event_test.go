// SPDX-License-Identifier: Apache-2.0

package record

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var eventTime = time.Date(2026, 3, 4, 5, 6, 7, 120e6, time.UTC)

func testEvent() Record {
	return Record{
		Version: EventVersion, Device: "front-door", Seq: 1, Prev: strings.Repeat("0", 64), Kind: KindEvent, Boot: "boot-1", Time: eventTime,
		Quality: "synced", Event: &Event{Code: PrivacyOn, From: eventTime, To: eventTime, By: Local, Count: 1},
	}
}

// The golden file is a promise: cameras in the field have signed this.
func TestGoldenEvent(t *testing.T) {
	jws, err := Sign(testKey, testEvent())
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "event.jws"))
	if err != nil || string(want) != string(jws) {
		t.Errorf("%v, golden\n%s, now\n%s", err, want, jws)
	}
	r, err := Verify(testKey.Public().(ed25519.PublicKey), jws)
	if err != nil || r.Event == nil || *r.Event != *testEvent().Event {
		t.Errorf("verified as %+v, %v", r, err)
	}
}

func TestSignEventRefuses(t *testing.T) {
	event := func(change func(*Event)) func(*Record) { return func(r *Record) { change(r.Event) } }
	for name, change := range map[string]func(*Record){
		"version of clips": func(r *Record) { r.Version = Version },
		"later version":    func(r *Record) { r.Version = EventVersion + 1 },
		"kind of losses":   func(r *Record) { r.Kind = KindLoss },
		"a loss beside it": func(r *Record) { r.Loss = &Loss{Reason: Stall, From: eventTime, To: eventTime} },
		"a clip beside it": func(r *Record) { r.Clip = &Clip{} },
		"in place of loss": func(r *Record) {
			r.Version, r.Kind, r.Loss = Version, KindLoss, &Loss{Reason: Stall, From: eventTime, To: eventTime}
		},
		"no event":          func(r *Record) { r.Event = nil },
		"no code":           event(func(e *Event) { e.Code = "" }),
		"code of two words": event(func(e *Event) { e.Code = "privacy on" }),
		"code in capitals":  event(func(e *Event) { e.Code = "Privacy" }),
		"code with a digit": event(func(e *Event) { e.Code = "1-on" }),
		"long code":         event(func(e *Event) { e.Code = strings.Repeat("a", 41) }),
		"by":                event(func(e *Event) { e.By = "the hub" }),
		"long detail":       event(func(e *Event) { e.Detail = strings.Repeat("x", MaxDetail+1) }),
		"broken detail":     event(func(e *Event) { e.Detail = "\xff" }),
		"backwards":         event(func(e *Event) { e.To = e.From.Add(-time.Second) }),
		"microseconds":      event(func(e *Event) { e.From = e.From.Add(-time.Microsecond) }),
		"never":             event(func(e *Event) { e.Count = 0 }),
	} {
		r := testEvent()
		change(&r)
		if jws, err := Sign(testKey, r); err == nil {
			t.Errorf("%s: signed %s", name, jws)
		}
	}
	r := testEvent()
	r.Event.Detail, r.Event.By, r.Event.Count, r.Event.Code = strings.Repeat("x", MaxDetail), "", 1<<40, "a-code-of-tomorrow-7"
	if _, err := Sign(testKey, r); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
}

// A record of a later version is not called malformed for the fields that it has: it says what to do.
func TestLaterVersionSaysSo(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	payload := strings.NewReplacer(`"v":1`, `"v":3`, `"kind"`, `"hue":7,"kind"`).Replace(goodRecord)
	_, err := Verify(pub, sign(testKey, recordHeader, []byte(payload)))
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "version 3") || !strings.Contains(err.Error(), "update it") {
		t.Errorf("version 3: %v", err)
	}
	if _, err := Verify(pub, sign(testKey, recordHeader, []byte(strings.Replace(goodRecord, `"v":1`, `"v":2`, 1)))); !errors.Is(err, ErrMalformed) {
		t.Errorf("a loss of version 2: %v", err)
	}
}

func TestEventCodesAreWordsWithTexts(t *testing.T) {
	codes := EventCodes()
	if len(codes) == 0 {
		t.Fatal("no codes")
	}
	for _, c := range codes {
		if !isWord(c) || Explain(c) == "" {
			t.Errorf("code %q means %q", c, Explain(c))
		}
	}
	if Explain("of-tomorrow") != "" {
		t.Error("a code that nobody knows is explained")
	}
}

// FuzzVerifyEvent is FuzzVerify for events.
func FuzzVerifyEvent(f *testing.F) {
	payload, err := canonical(testEvent())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		fuzzed(t, payload, recordHeader, Verify, Sign)
	})
}
