// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
)

// reel is a film of numbered frames; its pictures can be missing or broken.
type reel struct {
	length, next int
	missing      int // number of the frame without a picture, 0 for none
	broken       error
	passed       int
	closed       bool
}

func (r *reel) Next(f *Frame) (bool, error) {
	if r.broken != nil {
		return false, r.broken
	}
	if r.next == r.length {
		return false, io.EOF
	}
	r.next++
	if f == nil {
		r.passed++
		return false, nil
	}
	return r.missing == 0 || r.next-1 != r.missing, nil
}

func (r *reel) Rewind() error { r.next = 0; return nil }
func (r *reel) Close() error  { r.closed = true; return nil }

// fixed is a clock that stands still.
type fixed clock.Wall

func (c fixed) Now() clock.Wall { return clock.Wall(c) }

var tenth = Rate{10, 1}

// read reads a frame, releases it, and returns its number.
func read(t *testing.T, p *Player) uint64 {
	t.Helper()
	img, release, err := p.Read()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	return img.(*Frame).Seq
}

func TestPlayerStamps(t *testing.T) {
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	p := NewPlayer(&reel{length: 3}, 2, 2, tenth, Playback{Clock: fixed{noon, clock.Synced}})
	defer p.Close()
	read(t, p)
	read(t, p)
	img, release, err := p.Read()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	f := img.(*Frame)
	if f.Seq != 2 || f.PTS != 200*time.Millisecond {
		t.Errorf("frame %d at %v, want 2 at 200ms", f.Seq, f.PTS)
	}
	if want := (clock.Wall{Time: noon.Add(f.PTS), Quality: clock.Synced}); f.Wall != want {
		t.Errorf("wall %v, want %v", f.Wall, want)
	}
}

// A clock that is set while the camera runs is believed within a second; its own pace is not followed.
func TestPlayerHearsOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wall := &clock.Fake{}
		noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
		wall.Set(clock.Wall{Time: time.Unix(1000, 0), Quality: clock.Unset})
		p := NewPlayer(&reel{length: 100}, 2, 2, tenth, Playback{Speed: 1, Clock: wall})
		defer p.Close()
		stamped := func(n int) (w clock.Wall) {
			t.Helper()
			for range n {
				img, release, err := p.Read()
				if err != nil {
					t.Fatal(err)
				}
				w = img.(*Frame).Wall
				release()
			}
			return w
		}
		if w := stamped(30); w.Quality != clock.Unset || !w.Time.Equal(time.Unix(1002, 9e8)) {
			t.Errorf("after 2.9 s: %+v", w)
		}
		wall.Set(clock.Wall{Time: noon, Quality: clock.Hub})
		set := time.Now()
		if w := stamped(11); w.Quality != clock.Hub || w.Time.Sub(noon).Abs() > again || time.Since(set) > again+200*time.Millisecond {
			t.Errorf("after it was set: %+v", w)
		}
		before := stamped(1)
		wall.Set(clock.Wall{Time: noon.Add(time.Hour), Quality: clock.Hub})
		if w := stamped(20); w.Time.Sub(before.Time) != 2*time.Second {
			t.Errorf("%v in two seconds", w.Time.Sub(before.Time))
		}
	})
}

func TestPlayerLoops(t *testing.T) {
	p := NewPlayer(&reel{length: 3}, 2, 2, tenth, Playback{Loop: true})
	defer p.Close()
	for want := range uint64(10) {
		if got := read(t, p); got != want {
			t.Fatalf("frame %d, want %d", got, want)
		}
	}
}

func TestPlayerLoopsNothing(t *testing.T) {
	p := NewPlayer(&reel{}, 2, 2, tenth, Playback{Loop: true})
	defer p.Close()
	if _, _, err := p.Read(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v, want an error: the loop would never end", err)
	}
}

func TestPlayerMissingPicture(t *testing.T) {
	p := NewPlayer(&reel{length: 4, missing: 1}, 2, 2, tenth, Playback{Frames: 1})
	defer p.Close()
	if a, b := read(t, p), read(t, p); a != 0 || b != 2 {
		t.Errorf("frames %d and %d, want 0 and 2", a, b)
	}
}

func TestPlayerErrorIsFinal(t *testing.T) {
	film := &reel{length: 9}
	p := NewPlayer(film, 2, 2, tenth, Playback{Frames: 1})
	defer p.Close()
	read(t, p)
	film.broken = errors.New("scratch")
	for range 2 {
		if _, _, err := p.Read(); !errors.Is(err, film.broken) || !strings.Contains(err.Error(), "frame 1") {
			t.Errorf("got %v, want the film's error with the number of the frame", err)
		}
	}
	if free := p.pool.Free(); free != 1 {
		t.Errorf("%d frames free after the error, want 1", free)
	}
}

// A reader that is late by more than the pool could buffer loses the oldest frames, as with a camera.
func TestPlayerLateReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		film := &reel{length: 100}
		p := NewPlayer(film, 2, 2, tenth, Playback{Speed: 2, Frames: 4})
		defer p.Close()
		read(t, p)
		time.Sleep(500 * time.Millisecond) // 1 s of the film: frame 10 is due
		if got := read(t, p); got != 6 {   // 10 less the 4 that the pool holds
			t.Errorf("frame %d, want 6", got)
		}
		if film.passed != 5 {
			t.Errorf("%d frames were passed over, want 5", film.passed)
		}
	})
}

func TestPlayerClosesFilm(t *testing.T) {
	film := &reel{length: 1}
	p := NewPlayer(film, 2, 2, tenth, Playback{})
	if err := errors.Join(p.Close(), p.Close()); err != nil || !film.closed {
		t.Errorf("%v, film closed: %v", err, film.closed)
	}
	if _, _, err := p.Read(); !errors.Is(err, ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

func TestPlaybackValidate(t *testing.T) {
	tests := []struct {
		play Playback
		ok   bool
	}{
		{Playback{}, true},
		{Playback{Speed: 0.5, Frames: 3}, true},
		{Playback{Speed: -1}, false},
		{Playback{Speed: math.NaN()}, false},
		{Playback{Speed: math.Inf(1)}, false},
		{Playback{Frames: -1}, false},
	}
	for _, test := range tests {
		if err := test.play.Validate(); (err == nil) != test.ok {
			t.Errorf("%+v: %v", test.play, err)
		}
	}
}
