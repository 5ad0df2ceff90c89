// SPDX-License-Identifier: Apache-2.0

// Package clip turns frames and motion into clips: fragmented MP4 with the seconds before the motion and after it. Start with
// [NewRecorder]; the frame path calls [Recorder.Push], a task runs [Recorder.Run], and a [Sink] gets the bytes.
//
// Raw frames of the last seconds lie in a ring that is bounded in bytes. While nothing moves nothing is encoded. With motion
// the ring becomes the queue in front of the encoder, so that Push never waits for it; if the encoder falls behind by a whole
// ring, the oldest frames are dropped, counted in the clip, and declared to the sink.
package clip

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/h264"
	"github.com/nightjar-cam/nightjar/motion"
)

// Config says when clips begin and end.
type Config struct {
	PreRoll   time.Duration `yaml:"pre_roll"`   // kept from before the motion, 0 to 30 s
	Margin    time.Duration `yaml:"margin"`     // added to it: a visitor is visible before they are detectable
	PostRoll  time.Duration `yaml:"post_roll"`  // kept from after it, 0 to 60 s
	MaxLength time.Duration `yaml:"max_length"` // longer motion goes on in a next clip without a gap
	RingBytes int64         `yaml:"ring_bytes"` // memory for raw frames; if too small the pre-roll is shorter

	// Lossless makes Push wait for the encoder instead of dropping frames, for a source that can wait.
	Lossless bool `yaml:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{PreRoll: 2 * time.Second, Margin: time.Second, PostRoll: 2 * time.Second, MaxLength: 2 * time.Minute, RingBytes: 96 << 20}
}

// Validate says what is wrong with the config.
func (c Config) Validate() error {
	switch {
	case c.PreRoll < 0 || c.PreRoll > 30*time.Second:
		return fmt.Errorf("pre_roll %v: must be 0s to 30s", c.PreRoll)
	case c.Margin < 0 || c.Margin > 10*time.Second:
		return fmt.Errorf("margin %v: must be 0s to 10s", c.Margin)
	case c.PostRoll < 0 || c.PostRoll > time.Minute:
		return fmt.Errorf("post_roll %v: must be 0s to 1m", c.PostRoll)
	case c.MaxLength < time.Second || c.MaxLength > time.Hour:
		return fmt.Errorf("max_length %v: must be 1s to 1h", c.MaxLength)
	case c.RingBytes < 1<<20 || c.RingBytes > 4<<30:
		return fmt.Errorf("ring_bytes %d: must be 1 MiB to 4 GiB", c.RingBytes)
	}
	return nil
}

// keep is how long a frame stays in the ring while nothing moves: detection itself takes up to a second.
func (c Config) keep() time.Duration { return c.PreRoll + c.Margin + time.Second }

// Encoder is what the recorder needs of package h264. One goroutine uses it; its first frame is a keyframe.
type Encoder interface {
	Encode(*capture.Frame) (h264.AccessUnit, error)
	Close() error
}

// NewEncoder starts an encoder for one clip.
type NewEncoder func(capture.Format) (Encoder, error)

// Sink takes clips. The recorder's task alone calls it, and one clip is open at a time.
type Sink interface {
	// Create begins a clip.
	Create(Start) (Output, error)
	// Lost declares frames or a clip that could not be recorded.
	Lost(Loss)
}

// Output takes one clip: bytes of fragmented MP4, then either Commit or Abort.
type Output interface {
	io.Writer
	Commit(Summary) error
	Abort(reason error) error
}

// Start is what is known when a clip begins.
type Start struct {
	ID            string        // 32 lower-case hex digits, random
	Wall          clock.Wall    // of the first frame
	PTS           time.Duration // of the first frame
	Width, Height int
	Continues     string // id of the clip that this one goes on from without a gap
}

// Summary is what is known when it has ended.
type Summary struct {
	Start
	Duration     time.Duration
	PreRoll      time.Duration // achieved: from the first frame to the first sign of motion
	Frames       int
	Dropped      int // frames that are missing in it: the source dropped them, or the ring
	Peak         float64
	Why          string // the detector's reason at the peak
	Zones        []string
	Track        []Sample
	ContactSheet []byte // JPEG of six frames
}

// Sample is what the detector saw at one moment.
type Sample struct {
	Offset time.Duration // from the clip's first frame
	Score  float64
	Boxes  []motion.Box
}

// Reasons of a loss.
const (
	LostOverflow = "overflow" // the encoder fell behind
	LostEncoder  = "encoder"  // the encoder failed
	LostStorage  = "storage"  // the sink failed
)

// Loss says what could not be recorded.
type Loss struct {
	Reason   string
	Clip     string // id of the clip concerned
	From, To clock.Wall
	Frames   int
}

// add counts one more frame, later than the others.
func (l *Loss) add(at clock.Wall) {
	if l.Frames == 0 {
		l.From = at
	}
	l.To = at
	l.Frames++
}

// errStorage marks errors of the sink among those of making a clip.
var errStorage = errors.New("storage")

func reason(err error) string {
	if errors.Is(err, errStorage) {
		return LostStorage
	}
	return LostEncoder
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
