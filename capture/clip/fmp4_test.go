// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/capture/h264"
)

// writes keeps what is written, write by write.
type writes [][]byte

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, bytes.Clone(p))
	return len(p), nil
}

// muxFilm muxes a frame for each time, a keyframe first and at the given ones.
func muxFilm(t *testing.T, pts []time.Duration, key func(n int) bool) (writes, *muxer) {
	t.Helper()
	var w writes
	m := newMuxer(&w, width, height, interval)
	for n, at := range pts {
		if err := m.add(fakeUnit(uint64(n), n == 0 || key(n)), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.close(m.nominal); err != nil {
		t.Fatal(err)
	}
	return w, m
}

func everyFourth(n int) bool { return n%4 == 0 }

// Frames come when they come; each sample begins at its frame's time to the half tick, and ends where the next one begins.
func TestVariableFrameRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, step := range map[string]func(n int) time.Duration{
		"29.97 frames a second": func(int) time.Duration { return time.Second * 1001 / 30000 },
		"jitter":                func(int) time.Duration { return time.Duration(1 + rng.Int64N(int64(time.Second/5))) },
		"stall of an hour": func(n int) time.Duration {
			if n == 500 {
				return time.Hour
			}
			return 33_333_333
		},
		"less than a tick": func(int) time.Duration { return time.Microsecond },
	} {
		t.Run(name, func(t *testing.T) {
			pts := []time.Duration{12345678901}
			for n := range 1000 {
				pts = append(pts, pts[n]+step(n))
			}
			w, m := muxFilm(t, pts, everyFourth)
			_, fragments := read(t, bytes.Join(w, nil))
			n, end := 0, uint64(0)
			for _, fragment := range fragments {
				for _, s := range fragment {
					if s.at != end {
						t.Fatalf("frame %d begins at %d, the one before ends at %d", n, s.at, end)
					}
					exact := (pts[n] - pts[0]).Seconds() * timescale
					if off := float64(s.at) - exact; off < -0.51 || off > 0.51 {
						t.Fatalf("frame %d is %g ticks off", n, off)
					}
					end = s.at + s.last
					n++
				}
			}
			if want := pts[1000] - pts[0] + interval; m.duration != want || end != ticks(want) {
				t.Errorf("duration %v, %d ticks; want %v", m.duration, end, want)
			}
			if n != len(pts) {
				t.Errorf("%d frames, want %d", n, len(pts))
			}
		})
	}
}

func TestFragments(t *testing.T) {
	var pts []time.Duration
	for n := range 11 {
		pts = append(pts, time.Duration(n)*interval)
	}
	w, _ := muxFilm(t, pts, func(n int) bool { return n == 4 || n == 5 })
	_, fragments := read(t, bytes.Join(w, nil))
	var got []int
	for i, f := range fragments {
		got = append(got, len(f))
		for j, s := range f {
			if s.key != (j == 0) {
				t.Errorf("fragment %d, frame %d: keyframe %v", i, j, s.key)
			}
		}
	}
	if d := cmp.Diff([]int{4, 1, 6}, got); d != "" {
		t.Errorf("frames of the fragments (-want +got)\n%s", d)
	}
	if last := fragments[2][5]; last.last != 9000 {
		t.Errorf("the last frame lasts %d ticks, want 9000", last.last)
	}
	if len(w) != 4 {
		t.Errorf("%d writes, want the head and 3 fragments", len(w))
	}
}

// Wherever the film is cut off between two fragments, what is there plays.
func TestCutFilm(t *testing.T) {
	var pts []time.Duration
	for n := range 40 {
		pts = append(pts, time.Duration(n)*interval)
	}
	w, _ := muxFilm(t, pts, everyFourth)
	for cut := 1; cut <= len(w); cut++ {
		init, fragments := read(t, bytes.Join(w[:cut], nil))
		if init == nil || len(fragments) != cut-1 {
			t.Fatalf("cut after %d writes: %d fragments", cut, len(fragments))
		}
		for i, f := range fragments {
			if len(f) != 4 || f[0].seq != uint64(4*i) {
				t.Errorf("cut after %d writes: fragment %d is %+v", cut, i, f)
			}
		}
	}
}

func TestHead(t *testing.T) {
	w, _ := muxFilm(t, []time.Duration{0}, everyFourth)
	init, _ := read(t, bytes.Join(w, nil))
	trak := init.Moov.Trak
	if trak.Mdia.Mdhd.Timescale != timescale {
		t.Errorf("timescale %d", trak.Mdia.Mdhd.Timescale)
	}
	entry := trak.Mdia.Minf.Stbl.Stsd.AvcX
	if entry.Type() != "avc3" || entry.Width != width || entry.Height != height {
		t.Errorf("%s %dx%d, want avc3 %dx%d", entry.Type(), entry.Width, entry.Height, width, height)
	}
	sets := append(entry.AvcC.SPSnalus, entry.AvcC.PPSnalus...)
	if got := bytes.Join(append([][]byte{nil}, sets...), []byte{0, 0, 0, 1}); !bytes.Equal(got, parameterSets) {
		t.Errorf("parameter sets %x, want %x", got, parameterSets)
	}
	var colr *mp4.ColrBox
	for _, box := range entry.Children {
		if c, ok := box.(*mp4.ColrBox); ok {
			colr = c
		}
	}
	want := &mp4.ColrBox{
		ColorType: "nclx", ColorPrimaries: 1, TransferCharacteristics: 13, MatrixCoefficients: 6, FullRangeFlag: true,
	}
	if d := cmp.Diff(want, colr); d != "" {
		t.Errorf("colr (-want +got)\n%s", d)
	}
}

// brokenWriter fails after some writes.
type brokenWriter struct{ good int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.good == 0 {
		return 0, errFake
	}
	w.good--
	return len(p), nil
}

func TestMuxerRefuses(t *testing.T) {
	key, other := fakeUnit(0, true), fakeUnit(1, false)
	bare := h264.AccessUnit{Data: []byte{0, 0, 0, 1, 0x65, 1}, Keyframe: true}
	type frame struct {
		unit h264.AccessUnit
		pts  time.Duration
	}
	for _, c := range []struct {
		name    string
		good    int // writes
		frames  []frame
		err     string
		storage bool
	}{
		{"no keyframe first", 9, []frame{{other, 0}}, "does not begin with a keyframe", false},
		{"no parameter sets", 9, []frame{{bare, 0}}, "no parameter sets", false},
		{"the same time twice", 9, []frame{{key, 5}, {other, 5}}, "comes after", false},
		{"back in time", 9, []frame{{key, 5}, {other, 4}}, "comes after", false},
		{"no frame", 9, nil, "no frame", false},
		{"head not written", 0, []frame{{key, 0}}, "fake failure", true},
		{"fragment not written", 1, []frame{{key, 0}, {fakeUnit(1, true), 1}}, "fake failure", true},
		{"last fragment not written", 1, []frame{{key, 0}}, "fake failure", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMuxer(&brokenWriter{c.good}, width, height, interval)
			var err error
			for _, f := range c.frames {
				unit := h264.AccessUnit{Data: bytes.Clone(f.unit.Data), Keyframe: f.unit.Keyframe}
				if err = m.add(unit, f.pts); err != nil {
					break
				}
			}
			if err == nil {
				err = m.close(interval)
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || errors.Is(err, errStorage) != c.storage {
				t.Errorf("error %v, want one with %q, storage %v", err, c.err, c.storage)
			}
		})
	}
}

// The muxer holds one GOP, however long the film is.
func TestMuxerMemory(t *testing.T) {
	m := newMuxer(&brokenWriter{1 << 30}, width, height, interval)
	for n := range 10_000 {
		if err := m.add(fakeUnit(uint64(n), everyFourth(n)), time.Duration(n)*interval); err != nil {
			t.Fatal(err)
		}
		if len(m.gop) > 4 || cap(m.gop) > 8 {
			t.Fatalf("frame %d: %d frames held, room for %d", n, len(m.gop), cap(m.gop))
		}
	}
}
