// SPDX-License-Identifier: Apache-2.0

// Package hardship makes a film harder to watch: night, rain, snow, lamps, a trembling mast. Start with [Parse], which
// turns a text such as "rain:rate=40" into an [Effect], and call Apply for each frame. [Chain] puts effects one after
// another, [Names] and [Describe] tell what there is.
//
// The films are real, the hardship is synthetic: each effect follows a model that its comment states with its source,
// and leaves out what the comment says it leaves out. An order that nature would take is the best one: what is in the
// scene (person), what falls on it (lamp, headlights, clouds, flicker), what is in the air (rain, snow), the mount
// (shake), the camera (exposure, ircut, night).
//
// Luma is taken for the sRGB transfer of linear light (IEC 61966-2-1), full range. All arithmetic on pictures is in
// integers, and the tables behind it are built so that no processor may fuse or reorder a float operation. Every random
// number comes from a hash of the seed, the frame and the place. So a frame becomes the same bytes on every processor,
// whichever frames came before it.
//
// Nothing here promises a stable interface: this is a laboratory for the motion detector, not part of the product.
package hardship

import (
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// Effect is one hardship. Apply changes the samples of p in place and nothing beyond its width and height. The same
// frame, pts and picture give the same result. Effects hold scratch memory: one goroutine may use one at a time.
type Effect interface {
	Apply(p motion.Plane, frame int, pts time.Duration)
	// String is a text from which Parse makes the same effect, except for a chain, which lists its parts.
	String() string
}

// Truth is implemented by effects that put something into the film that a detector must find, such as a person.
type Truth interface {
	// Interval tells when it is to be seen: from <= pts < to.
	Interval() (from, to time.Duration)
}

// Chain returns the effects in the order given as one. It is a Truth if any of them is; its interval then runs from
// the first beginning to the last end.
func Chain(effects ...Effect) Effect {
	c := chain(effects)
	for _, e := range effects {
		if _, ok := e.(Truth); ok {
			return truthChain{c}
		}
	}
	return c
}

type chain []Effect

func (c chain) Apply(p motion.Plane, frame int, pts time.Duration) {
	for _, e := range c {
		e.Apply(p, frame, pts)
	}
}

func (c chain) String() string {
	names := make([]string, len(c))
	for i, e := range c {
		names[i] = e.String()
	}
	return strings.Join(names, " ")
}

type truthChain struct{ chain }

func (c truthChain) Interval() (from, to time.Duration) {
	first := true
	for _, e := range c.chain {
		t, ok := e.(Truth)
		if !ok {
			continue
		}
		a, b := t.Interval()
		if first {
			from, to, first = a, b, false
		}
		from, to = min(from, a), max(to, b)
	}
	return from, to
}

// row returns the samples of row y. Its capacity ends with them.
func row(p motion.Plane, y int) []byte {
	at := y * p.Stride
	return p.Pix[at : at+p.W : at+p.W]
}

// seconds turns millionths of a second into a duration.
func seconds(micro int64) time.Duration { return time.Duration(micro) * time.Microsecond }

// span is a switch: 0 before on, 65536 from on+rise to off, 0 again from off+rise. An off of 0 is never.
func span(pts, on, off, rise time.Duration) int64 {
	up := ramp(pts-on, rise)
	if off > 0 {
		up -= min(up, ramp(pts-off, rise))
	}
	return up
}

// ramp goes from 0 to 65536 within rise.
func ramp(t, rise time.Duration) int64 {
	switch {
	case t < 0:
		return 0
	case t >= rise:
		return one
	}
	return int64(t) * one / int64(rise)
}

// resize returns buf with n elements, a new one if it is too small.
func resize[T any](buf []T, n int) []T {
	if cap(buf) < n {
		return make([]T, n)
	}
	return buf[:n]
}
