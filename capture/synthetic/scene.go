// SPDX-License-Identifier: Apache-2.0

package synthetic

import (
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
)

// scene draws the frames; it is a capture.Film.
type scene struct {
	config     Config
	background []byte        // luma
	noise      [1 << 16]int8 // gaussian, read from another place for each row of each frame
	next       uint64
}

func newScene(c Config) *scene {
	s := &scene{config: c, background: make([]byte, c.Width*c.Height)}
	random := rand.New(rand.NewPCG(c.Seed, 0))
	const cell = 16 // pixels: as large as a block of the detector, so that blocks differ
	for y := 0; y < c.Height; y += cell {
		for x := 0; x < c.Width; x += cell {
			s.tile(x, y, cell, byte(90+random.IntN(60)))
		}
	}
	for i := range s.noise {
		s.noise[i] = int8(math.Round(min(max(random.NormFloat64()*c.Noise, -127), 127)))
	}
	return s
}

func (s *scene) tile(x0, y0, size int, level byte) {
	for y := y0; y < min(y0+size, s.config.Height); y++ {
		for x := x0; x < min(x0+size, s.config.Width); x++ {
			s.background[y*s.config.Width+x] = level
		}
	}
}

// Next implements capture.Film.
func (s *scene) Next(f *capture.Frame) (bool, error) {
	t := s.config.Rate.PTS(s.next)
	if s.config.Length > 0 && t >= s.config.Length {
		return false, io.EOF
	}
	n := s.next
	s.next++
	if f == nil {
		return false, nil
	}
	copy(f.Y, s.background)
	for _, o := range s.config.Objects {
		if o.From <= t && t < o.To {
			s.draw(f, o, o.at(t))
		}
	}
	s.expose(f, n, s.light(t))
	fill(f.Cb, 128)
	fill(f.Cr, 128)
	return true, nil
}

// at returns where the object is at a time from From to To: each leg of the path takes as long as the others.
func (o Object) at(t time.Duration) Point {
	legs := len(o.Path) - 1
	if legs == 0 {
		return o.Path[0]
	}
	way := float64(t-o.From) / float64(o.To-o.From) * float64(legs)
	leg := min(int(way), legs-1)
	part := way - float64(leg)
	a, b := o.Path[leg], o.Path[leg+1]
	return Point{X: a.X + (b.X-a.X)*part, Y: a.Y + (b.Y-a.Y)*part}
}

// draw adds an object's contrast to the ellipse around its centre.
func (s *scene) draw(f *capture.Frame, o Object, centre Point) {
	w, h := float64(s.config.Width), float64(s.config.Height)
	cx, cy := centre.X*w, centre.Y*h
	rx, ry := o.Width*w/2, o.Height*h/2
	for y := max(0, int(cy-ry)); y < min(s.config.Height, int(cy+ry)+1); y++ {
		dy := (float64(y) + 0.5 - cy) / ry
		if dy*dy >= 1 {
			continue
		}
		half := rx * math.Sqrt(1-dy*dy)
		from, to := max(0, int(math.Round(cx-half))), min(s.config.Width, int(math.Round(cx+half)))
		if from >= to {
			continue
		}
		row := f.Y[y*f.YStride:][from:to]
		for x, v := range row {
			row[x] = clamp(int(v) + o.Contrast)
		}
	}
}

// expose adds light and noise to the whole picture.
func (s *scene) expose(f *capture.Frame, n uint64, light int) {
	for y := range s.config.Height {
		at := uint16(mix(s.config.Seed ^ n<<16 ^ uint64(y)))
		row := f.Y[y*f.YStride:][:s.config.Width]
		for x, v := range row {
			row[x] = clamp(int(v) + light + int(s.noise[at]))
			at++ // wraps around the table
		}
	}
}

func (s *scene) light(t time.Duration) int {
	offset := 0
	for _, l := range s.config.Lights {
		if t < l.At {
			break
		}
		offset = l.Offset
	}
	return offset
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbouring inputs give unrelated outputs.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func clamp(v int) byte { return byte(min(max(v, 0), 255)) }

func fill(plane []byte, v byte) {
	for i := range plane {
		plane[i] = v
	}
}

// Rewind implements capture.Film.
func (s *scene) Rewind() error {
	s.next = 0
	return nil
}

// Close implements capture.Film.
func (s *scene) Close() error { return nil }
