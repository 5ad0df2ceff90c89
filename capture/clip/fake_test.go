// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/h264"
)

const (
	width, height = 64, 48
	frameBytes    = width * height * 3 / 2
	interval      = 100 * time.Millisecond // nominal, of a frame
	gopFrames     = 4                      // of the fake encoder
)

var format = capture.Format{Width: width, Height: height, FrameRate: 10}

var errFake = errors.New("fake failure")

// Parameter sets that openh264 makes for 64x48.
var parameterSets = func() []byte {
	b, err := hex.DecodeString("00000001" + "6742c00c8c8d423900f08846a0" + "00000001" + "68ce3c80")
	if err != nil {
		panic(err)
	}
	return b
}()

// fakeUnit is a valid access unit whose one slice is the frame's number in decimal: no start code can come up in it.
func fakeUnit(seq uint64, key bool) h264.AccessUnit {
	var data []byte
	header := byte(0x41)
	if key {
		data, header = append(data, parameterSets...), 0x65
	}
	data = append(data, 0, 0, 0, 1, header)
	return h264.AccessUnit{Data: strconv.AppendUint(data, seq, 10), Keyframe: key}
}

// fakeEncoders makes encoders. Fail is asked before New and Encode.
type fakeEncoders struct {
	fail         func(op string) error
	gate         chan struct{} // if set, Encode waits until it is closed
	open, opened int
}

type fakeEncoder struct {
	all    *fakeEncoders
	frames int
}

// new returns a nil pointer in the interface with an error, as a function does that returns what h264.New returns.
func (e *fakeEncoders) new(capture.Format) (Encoder, error) {
	if err := e.ask("new"); err != nil {
		return (*fakeEncoder)(nil), err
	}
	e.open++
	e.opened++
	return &fakeEncoder{all: e}, nil
}

func (e *fakeEncoders) ask(op string) error {
	if e.fail == nil {
		return nil
	}
	return e.fail(op)
}

func (e *fakeEncoder) Encode(f *capture.Frame) (h264.AccessUnit, error) {
	if e.all.gate != nil {
		<-e.all.gate
	}
	if err := e.all.ask("encode"); err != nil {
		return h264.AccessUnit{}, err
	}
	e.frames++
	return fakeUnit(f.Seq, (e.frames-1)%gopFrames == 0), nil
}

func (e *fakeEncoder) Close() error {
	e.all.open--
	return nil
}

// fakeSink keeps what it gets. Fail is asked before Create, Write and Commit.
type fakeSink struct {
	fail  func(op string) error
	clips []*fakeOutput
	lost  []Loss
}

type fakeOutput struct {
	sink      *fakeSink
	start     Start
	writes    [][]byte
	summary   Summary
	committed bool
	aborted   bool
}

func (s *fakeSink) ask(op string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(op)
}

func (s *fakeSink) Create(start Start) (Output, error) {
	if err := s.ask("create"); err != nil {
		return (*fakeOutput)(nil), err
	}
	o := &fakeOutput{sink: s, start: start}
	s.clips = append(s.clips, o)
	return o, nil
}

func (s *fakeSink) Lost(l Loss) { s.lost = append(s.lost, l) }

// committed returns the clips that were committed.
func (s *fakeSink) committed() []*fakeOutput {
	return slices.DeleteFunc(slices.Clone(s.clips), func(o *fakeOutput) bool { return !o.committed })
}

// lostFrames returns how many frames were declared lost.
func (s *fakeSink) lostFrames() (n int) {
	for _, l := range s.lost {
		n += l.Frames
	}
	return n
}

func (o *fakeOutput) Write(p []byte) (int, error) {
	if err := o.sink.ask("write"); err != nil {
		return 0, err
	}
	o.writes = append(o.writes, bytes.Clone(p))
	return len(p), nil
}

func (o *fakeOutput) Commit(s Summary) error {
	if err := o.sink.ask("commit"); err != nil {
		return err
	}
	o.summary, o.committed = s, true
	return nil
}

func (o *fakeOutput) Abort(error) error {
	o.aborted = true
	return nil
}

// failOnce fails the first time that op is asked for.
func failOnce(op string) func(string) error {
	failed := false
	return func(asked string) error {
		if asked != op || failed {
			return nil
		}
		failed = true
		return fmt.Errorf("%s: %w", op, errFake)
	}
}

// sample is a frame as a player sees it.
type sample struct {
	seq      uint64
	at, last uint64 // ticks
	key      bool
}

// read reads a film of fake access units back, fragment by fragment.
func read(t *testing.T, film []byte) (*mp4.InitSegment, [][]sample) {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(film))
	if err != nil {
		t.Fatalf("decode film: %v", err)
	}
	var fragments [][]sample
	for _, segment := range file.Segments {
		for _, fragment := range segment.Fragments {
			full, err := fragment.GetFullSamples(file.Init.Moov.Mvex.Trex)
			if err != nil {
				t.Fatalf("read fragment: %v", err)
			}
			var samples []sample
			for _, s := range full {
				digits := s.Data[bytes.LastIndexAny(s.Data, "\x41\x65")+1:]
				seq, err := strconv.ParseUint(string(digits), 10, 64)
				if err != nil {
					t.Fatalf("read frame: %v", err)
				}
				samples = append(samples, sample{seq: seq, at: s.DecodeTime, last: uint64(s.Dur), key: s.IsSync()})
			}
			fragments = append(fragments, samples)
		}
	}
	return file.Init, fragments
}

// frames returns all samples of a clip.
func (o *fakeOutput) frames(t *testing.T) []sample {
	t.Helper()
	_, fragments := read(t, bytes.Join(o.writes, nil))
	return slices.Concat(fragments...)
}

// epoch is the wall clock at PTS 0.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newFrame takes a frame from the pool and numbers it.
func newFrame(t testing.TB, pool *capture.Pool, seq uint64, pts time.Duration) *capture.Frame {
	t.Helper()
	f, ok := pool.Get()
	if !ok {
		t.Fatal("the pool is empty: frames are held for too long")
	}
	f.Seq, f.PTS = seq, pts
	f.Wall = clock.Wall{Time: epoch.Add(pts), Quality: clock.Free}
	return f
}
