// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const filmW, filmH = 1280, 720

// BenchmarkFilm runs one detector over a film, to its end and back again, so that no cut comes in between. The film is
// the file that NIGHTJAR_RAW720 names, raw 8-bit luma of 1280x720, or a square that moves over noise.
//
// Frames are 0.1 s apart: with more frames in a second the detector spares itself some of the work in some of them.
// cpu-ns/op is the time of the processor, which other programs on the machine do not lengthen, unlike ns/op.
func BenchmarkFilm(b *testing.B) {
	f := newFilm(b, 300)
	b.SetBytes(filmW * filmH)
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		f.step()
	}
	f.report(b, cpuTime()-before)
}

// BenchmarkFilmPaced rests between the frames, as a camera makes a detector rest: what it works on has left the caches.
// .ci/bench-motion sets it beside another program that can be measured in no other way.
func BenchmarkFilmPaced(b *testing.B) {
	if os.Getenv("NIGHTJAR_RAW720") == "" {
		b.Skip("NIGHTJAR_RAW720 names no film")
	}
	const every = 250 * time.Millisecond
	f := newFilm(b, 100)
	var spent time.Duration
	next := time.Now()
	for b.Loop() {
		next = next.Add(every)
		time.Sleep(time.Until(next))
		before := cpuTime()
		f.step()
		spent += cpuTime() - before
	}
	f.report(b, spent)
}

// filmRun is one detector and the frames it sees.
type filmRun struct {
	frames   []Plane
	detector *Detector
	n        int // frames played
	moving   int // frames with motion, of those after the learning
}

// newFilm returns a film with a detector that has learned.
func newFilm(b *testing.B, most int) *filmRun {
	b.Helper()
	d, err := New(DefaultConfig(), filmW, filmH)
	if err != nil {
		b.Fatal(err)
	}
	f := &filmRun{detector: d}
	if path := os.Getenv("NIGHTJAR_RAW720"); path != "" {
		f.frames = readFilm(b, path, most)
	} else {
		f.frames = drawFilm()
	}
	for range 40 {
		f.step()
	}
	f.moving = 0
	runtime.LockOSThread() // the processor time is that of one thread
	b.Cleanup(runtime.UnlockOSThread)
	return f
}

// step plays the next frame.
func (f *filmRun) step() {
	i, last := 0, len(f.frames)-1
	if last > 0 {
		i = f.n % (2 * last)
		if i > last {
			i = 2*last - i
		}
	}
	f.n++
	if f.detector.Process(f.frames[i], time.Duration(f.n)*100*time.Millisecond).Motion {
		f.moving++
	}
}

func (f *filmRun) report(b *testing.B, spent time.Duration) {
	if spent > 0 {
		b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
	}
	b.ReportMetric(100*float64(f.moving)/float64(b.N), "%moving")
}

// readFilm returns up to most frames of a file.
func readFilm(b *testing.B, path string, most int) []Plane {
	b.Helper()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	var frames []Plane
	for len(frames) < most {
		p := newPlane(filmW, filmH)
		if _, err := io.ReadFull(file, p.Pix); err == io.EOF {
			break
		} else if err != nil {
			b.Fatalf("%s: frame %d: %v", path, len(frames), err)
		}
		frames = append(frames, p)
	}
	if len(frames) == 0 {
		b.Fatalf("%s: no frame in it", path)
	}
	return frames
}

// drawFilm returns noise with a textured square that goes from left to right.
func drawFilm() []Plane {
	const count, size, noise = 24, 160, 6
	random := rand.New(rand.NewPCG(7, 7))
	frames := make([]Plane, count)
	for i := range frames {
		p := newPlane(filmW, filmH)
		for at := range p.Pix {
			p.Pix[at] = byte(100 + random.IntN(noise))
		}
		left := i * (filmW - size) / (count - 1)
		for y := 280; y < 280+size; y++ {
			row := p.row(y, left, left+size)
			for x := range row {
				row[x] = byte(40 + 120*((x/9+y/7)%2) + random.IntN(noise))
			}
		}
		frames[i] = p
	}
	return frames
}

// cpuTime returns how long this thread has run.
func cpuTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
