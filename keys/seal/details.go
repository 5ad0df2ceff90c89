// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// MaxDetails bounds a clip's details, in bytes of JSON.
const MaxDetails = 4 << 20

// DetailsVersion is the version of the form below; fields are only added together with a new one.
const DetailsVersion = 1

// Details is what only the owner may know of a clip: why it was recorded, where something moved, and six pictures of it.
type Details struct {
	Version      int       `json:"v"`
	Clip         string    `json:"clip"`
	Start        time.Time `json:"start"`
	PTSUS        int64     `json:"pts_us"`  // of the first frame, since the source was opened
	Trigger      string    `json:"trigger"` // the detector's rule that decided
	Peak         float64   `json:"peak"`    // highest score, 0 to 1
	Zones        []string  `json:"zones,omitempty"`
	Width        int       `json:"width"`
	Height       int       `json:"height"`
	Track        []Sample  `json:"track,omitempty"`
	ContactSheet []byte    `json:"contact_sheet,omitempty"` // JPEG
}

// Sample is what the detector saw at one moment of the clip.
type Sample struct {
	OffsetUS int64   `json:"offset_us"` // from the clip's first frame
	Score    float64 `json:"score"`
	Boxes    []Box   `json:"boxes,omitempty"`
}

// Box is x0, y0, x1, y1, each 0 to 1 of the picture.
type Box [4]float64

// UnmarshalJSON refuses an array of another length, which encoding/json would fill up or cut.
func (b *Box) UnmarshalJSON(text []byte) error {
	var sides []float64
	if err := json.Unmarshal(text, &sides); err != nil {
		return err
	}
	if len(sides) != len(b) {
		return fmt.Errorf("box of %d numbers instead of %d", len(sides), len(b))
	}
	*b = Box(sides)
	return nil
}

// Marshal encodes the details as JSON, with the present Version.
func (d Details) Marshal() ([]byte, error) {
	d.Version = DetailsVersion
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode details: %w", err)
	}
	if len(b) > MaxDetails {
		return nil, fmt.Errorf("encode details: %d bytes, more than %d", len(b), MaxDetails)
	}
	return b, nil
}

// ParseDetails reads details to the end of r. It refuses unknown fields and more than [MaxDetails] bytes.
func ParseDetails(r io.Reader) (Details, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxDetails+1))
	if err != nil {
		return Details{}, fmt.Errorf("read details: %w", err)
	}
	if len(b) > MaxDetails {
		return Details{}, fmt.Errorf("read details: more than %d bytes", MaxDetails)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var d Details
	if err := dec.Decode(&d); err != nil {
		return Details{}, fmt.Errorf("read details: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Details{}, errors.New("read details: data behind the end")
	}
	if d.Version != DetailsVersion {
		return Details{}, fmt.Errorf("read details: version %d, this program knows %d: update it", d.Version, DetailsVersion)
	}
	return d, nil
}
