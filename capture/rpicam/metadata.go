// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"
)

// record is what the camera says of one picture. A field is 0 where it does not.
type record struct {
	at       time.Duration // when its first row was exposed, by the sensor's clock, which is Linux's monotonic one
	duration time.Duration // from this picture to the next
	exposure time.Duration
	analogue float64 // gains
	digital  float64
	lux      float64
}

// light puts together what frames carry.
func (r record) light() (exposure, lux float64) {
	exposure = r.exposure.Seconds()
	for _, gain := range [...]float64{r.analogue, r.digital} {
		if gain > 0 {
			exposure *= gain
		}
	}
	return exposure, r.lux
}

// maxLine bounds the lines that are looked at: a neural network's output, which some sensors put into a record, is passed over.
const maxLine = 1 << 10

// scanner reads records. It allocates nothing for one.
type scanner struct{ in *bufio.Reader }

func newScanner(from io.Reader) *scanner { return &scanner{bufio.NewReaderSize(from, maxLine)} }

// next returns the record that is before the next empty line. An empty line alone is an empty record: there is one for each picture.
func (s *scanner) next() (record, error) {
	var r record
	for {
		line, err := s.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = s.in.ReadSlice('\n')
			}
			line = nil
		} else if err == nil && len(bytes.TrimSpace(line)) == 0 {
			return r, nil
		}
		if err != nil {
			return record{}, err
		}
		r.set(line)
	}
}

// set takes one line. What is not understood is nothing: each version has names of its own.
func (r *record) set(line []byte) {
	name, value, found := bytes.Cut(line, []byte("="))
	if !found {
		return
	}
	value = bytes.TrimSpace(value)
	switch string(name) {
	case "SensorTimestamp":
		r.at = duration(value, time.Nanosecond)
	case "FrameDuration":
		r.duration = duration(value, time.Microsecond)
	case "ExposureTime":
		r.exposure = duration(value, time.Microsecond)
	case "AnalogueGain":
		r.analogue = positive(value)
	case "DigitalGain":
		r.digital = positive(value)
	case "Lux":
		r.lux = positive(value)
	}
}

// duration reads a whole number of units, 0 where it is none above 0.
func duration(value []byte, unit time.Duration) time.Duration {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 0 || n > int64(math.MaxInt64/unit) {
		return 0
	}
	return time.Duration(n) * unit
}

// positive reads a number, 0 where it is none that any camera means.
func positive(value []byte) float64 {
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(f > 0 && f < 1e9) {
		return 0
	}
	return f
}
