// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// oneRecord is a record of a Pi 4 with an imx708, in the order of a map, as write_metadata writes it.
const oneRecord = `FrameDuration=33333
SensorTimestamp=1043268763000
ExposureTime=19987
AnalogueGain=4.015686
DigitalGain=1.008621
Lux=54.226120
ColourTemperature=3541
ColourGains=[ 1.842715, 1.541882 ]
ScalerCrop=(0, 0)/4608x2592
AeLocked=true
AfState=2
FrameWallClock=1763000000123456789

`

func TestRecords(t *testing.T) {
	long := "CnnOutputTensor=[ " + strings.Repeat("0.125, ", 1000) + "]\n"
	s := newScanner(iotest.OneByteReader(strings.NewReader(oneRecord + long + oneRecord + "\n" + "ExposureTime=12\r\nLux = 4\n\nLux=1")))
	for n := range 2 {
		r, err := s.next()
		want := record{at: 1043268763000, duration: 33333 * time.Microsecond, exposure: 19987 * time.Microsecond,
			analogue: 4.015686, digital: 1.008621, lux: 54.226120}
		if err != nil || r != want {
			t.Errorf("record %d: %+v, %v", n, r, err)
		}
		if exposure, lux := r.light(); math.Abs(exposure-0.080954) > 1e-5 || lux != 54.226120 {
			t.Errorf("record %d: exposure %g, lux %g", n, exposure, lux)
		}
	}
	if r, err := s.next(); err != nil || r != (record{}) {
		t.Errorf("an empty record: %+v, %v", r, err)
	}
	if r, err := s.next(); err != nil || r != (record{exposure: 12 * time.Microsecond}) {
		t.Errorf("the record after it: %+v, %v", r, err)
	}
	if _, err := s.next(); !errors.Is(err, io.EOF) {
		t.Errorf("a record without an end: %v", err)
	}
}

func TestNonsense(t *testing.T) {
	for _, line := range []string{
		"", "=", "Lux", "Lux=", "Lux=NaN", "Lux=Inf", "Lux=-1", "Lux=1e300", "SensorTimestamp=-5", "SensorTimestamp=1.5",
		"SensorTimestamp=99999999999999999999", "ExposureTime=9223372036854775807", "FrameDuration=0x10",
	} {
		var r record
		if r.set([]byte(line)); r != (record{}) {
			t.Errorf("%q: %+v", line, r)
		}
	}
}

func TestRecordsAllocateNothing(t *testing.T) {
	text := strings.Repeat(oneRecord, 300)
	s := newScanner(strings.NewReader(text))
	if n := testing.AllocsPerRun(200, func() { s.next() }); n != 0 {
		t.Errorf("%g allocations for a record", n)
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(oneRecord))
	f.Add([]byte("Lux=\n\n\n=\x00\nSensorTimestamp=1\n\n" + strings.Repeat("x", 5000) + "\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newScanner(bytes.NewReader(text))
		stamps := stamps{interval: frame30}
		var pts time.Duration
		for n := 0; ; n++ {
			r, err := s.next()
			if err != nil {
				return
			}
			if n > len(text) {
				t.Fatal("more records than bytes")
			}
			if r.at < 0 || r.duration < 0 || r.exposure < 0 || !(r.analogue >= 0 && r.digital >= 0 && r.lux >= 0) {
				t.Errorf("record %+v", r)
			}
			if exposure, _ := r.light(); !(exposure >= 0) || math.IsInf(exposure, 0) {
				t.Errorf("exposure %g of %+v", exposure, r)
			}
			seq := stamps.seq
			if err := stamps.take(r, time.Duration(n)*frame30, time.Hour); err != nil {
				return
			}
			if n > 0 && (stamps.pts <= pts || stamps.seq <= seq) {
				t.Fatalf("record %d: PTS %v after %v, Seq %d after %d", n, stamps.pts, pts, stamps.seq, seq)
			}
			pts = stamps.pts
		}
	})
}
