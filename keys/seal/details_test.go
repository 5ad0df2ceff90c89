// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys/seal"
)

func details() seal.Details {
	return seal.Details{
		Version: seal.DetailsVersion, Clip: strings.Repeat("0a", 16), Start: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), PTSUS: 1_500_000,
		Trigger: "motion in zone", Peak: 0.75, Zones: []string{"door", "<gate>"}, Width: 1280, Height: 720,
		Track:        []seal.Sample{{OffsetUS: 40_000, Score: 0.5, Boxes: []seal.Box{{0, 0.25, 0.5, 1}}}, {OffsetUS: 80_000, Score: 0.75}},
		ContactSheet: []byte{0xff, 0xd8, 0xff, 0xd9},
	}
}

func TestDetailsRoundTrip(t *testing.T) {
	want := details()
	unnumbered := want
	unnumbered.Version = 0 // Marshal knows the version
	for _, d := range []seal.Details{want, unnumbered} {
		b, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := seal.ParseDetails(iotest.OneByteReader(bytes.NewReader(b)))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("error %v, details (-want +got):\n%s", err, diff)
		}
	}
}

func TestParseDetailsRefuses(t *testing.T) {
	b, err := details().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for name, text := range map[string]string{
		"nothing":        "",
		"null":           "null",
		"cut":            good[:len(good)-1],
		"trailing data":  good + "{}",
		"trailing brace": good + "}",
		"unknown field":  strings.Replace(good, `"v":1`, `"v":1,"w":1`, 1),
		"version":        strings.Replace(good, `"v":1`, `"v":2`, 1),
		"type":           strings.Replace(good, `"v":1`, `"v":"1"`, 1),
		"flat box":       strings.Replace(good, `[0,0.25,0.5,1]`, `[0,0.25,0.5]`, 1),
		"deep box":       strings.Replace(good, `[0,0.25,0.5,1]`, `[0,0.25,0.5,1,1]`, 1),
		"no box":         strings.Replace(good, `[0,0.25,0.5,1]`, `null`, 1),
		"text as a box":  strings.Replace(good, `[0,0.25,0.5,1]`, `"box"`, 1),
		"too large":      good + strings.Repeat(" ", seal.MaxDetails),
	} {
		if d, err := seal.ParseDetails(strings.NewReader(text)); err == nil {
			t.Errorf("%s: got %v", name, d)
		}
	}
	full := good + strings.Repeat(" ", seal.MaxDetails-len(good))
	if _, err := seal.ParseDetails(strings.NewReader(full)); err != nil {
		t.Errorf("of %d bytes: %v", len(full), err)
	}
	if _, err := seal.ParseDetails(iotest.ErrReader(errBroken)); !errors.Is(err, errBroken) {
		t.Errorf("from a broken file: %v", err)
	}
}

func TestMarshalDetailsRefuses(t *testing.T) {
	large, endless := details(), details()
	large.ContactSheet = make([]byte, seal.MaxDetails)
	endless.Peak = math.Inf(1)
	for _, d := range []seal.Details{large, endless} {
		if b, err := d.Marshal(); err == nil {
			t.Errorf("encoded %d bytes", len(b))
		}
	}
}

// FuzzParseDetails checks that what is read can be written and is read as the same.
func FuzzParseDetails(f *testing.F) {
	b, err := details().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"v":1,"start":"2026-03-04T05:06:07+01:00","track":[{"boxes":[[0,0,1,1e-9]]}],"zones":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) { // an escape has six bytes at most
		d, err := seal.ParseDetails(bytes.NewReader(b))
		if err != nil || len(b) > seal.MaxDetails/6 {
			return
		}
		again, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		twin, err := seal.ParseDetails(bytes.NewReader(again))
		if err != nil {
			t.Fatal(err)
		}
		if last, err := twin.Marshal(); err != nil || !bytes.Equal(last, again) {
			t.Fatalf("%s, then %s, %v", again, last, err)
		}
	})
}
