// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package h264

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/capture"
)

const width, height = 64, 48

// frame draws the n-th frame of a moving, slightly noisy gradient.
func frame(pool *capture.Pool, n int) *capture.Frame {
	f, ok := pool.Get()
	if !ok {
		panic("the pool is empty")
	}
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range f.Y {
		f.Y[i] = byte(i + 3*n + rng.IntN(8))
	}
	for i := range f.Cb {
		f.Cb[i], f.Cr[i] = byte(128+n), byte(128-n)
	}
	f.Seq, f.PTS = uint64(n), time.Duration(n)*100*time.Millisecond
	return f
}

func newEncoder(t *testing.T, cfg Config) *Encoder {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// encode encodes frames and returns the stream, and which frames are keyframes as a string like "K..K".
func encode(t *testing.T, e *Encoder, frames int, before func(n int)) ([]byte, string) {
	t.Helper()
	pool := capture.NewPool(e.cfg.Width, e.cfg.Height, 1)
	var stream []byte
	var keys strings.Builder
	for n := range frames {
		if before != nil {
			before(n)
		}
		f := frame(pool, n)
		unit, err := e.Encode(f)
		f.Release()
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, unit.Data...)
		if unit.Keyframe {
			keys.WriteByte('K')
		} else {
			keys.WriteByte('.')
		}
	}
	return stream, keys.String()
}

func TestKeyframes(t *testing.T) {
	for _, c := range []struct {
		interval, force int
		want            string
	}{
		{4, -1, "K...K...K.."},
		{100, -1, "K.........."},
		{100, 3, "K..K......."},
		{1, -1, "KKKKKKKKKKK"},
	} {
		e := newEncoder(t, Config{Width: width, Height: height, FrameRate: 10, KeyInterval: c.interval})
		_, got := encode(t, e, len(c.want), func(n int) {
			if n == c.force {
				e.ForceKeyframe()
			}
		})
		if got != c.want {
			t.Errorf("interval %d, forced at %d: keyframes %s, want %s", c.interval, c.force, got, c.want)
		}
	}
}

// Every access unit stays valid when later ones are encoded, and keyframes carry their parameter sets.
func TestAccessUnit(t *testing.T) {
	e := newEncoder(t, Config{Width: width, Height: height, FrameRate: 10, KeyInterval: 2})
	pool := capture.NewPool(width, height, 1)
	var first, copied []byte
	for n := range 4 {
		f := frame(pool, n)
		unit, err := e.Encode(f)
		f.Release()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first, copied = unit.Data, bytes.Clone(unit.Data)
		}
		const sps = 0x67
		if got := bytes.HasPrefix(unit.Data, []byte{0, 0, 0, 1, sps}); got != unit.Keyframe {
			t.Errorf("frame %d: keyframe %v, parameter sets %v", n, unit.Keyframe, got)
		}
	}
	if !bytes.Equal(first, copied) {
		t.Error("a later frame changed the first access unit")
	}
}

func TestEncodeOnlyReads(t *testing.T) {
	e := newEncoder(t, Config{Width: width, Height: height, FrameRate: 10})
	pool := capture.NewPool(width, height, 2)
	f, same := frame(pool, 1), frame(pool, 1)
	if _, err := e.Encode(f); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(f.Y, same.Y) || !bytes.Equal(f.Cb, same.Cb) || !bytes.Equal(f.Cr, same.Cr) {
		t.Error("the frame has changed")
	}
	f.Release()
	if free := pool.Free(); free != 1 {
		t.Errorf("%d frames are free, want 1: the encoder keeps a reference", free)
	}
}

func TestWrongSize(t *testing.T) {
	e := newEncoder(t, Config{Width: width, Height: height, FrameRate: 10})
	for _, size := range [][2]int{{width / 2, height}, {width, height * 2}, {height, width}} {
		f := frame(capture.NewPool(size[0], size[1], 1), 0)
		if _, err := e.Encode(f); err == nil || !strings.Contains(err.Error(), "the film 64x48") {
			t.Errorf("%v: error %v", size, err)
		}
	}
	if _, keys := encode(t, e, 2, nil); keys != "K." {
		t.Errorf("after a refused frame: keyframes %s, want K.", keys)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{Width: width, Height: height},
	} {
		if e, err := New(cfg); err == nil || e != nil {
			t.Errorf("%+v: encoder %v, error %v", cfg, e, err)
		}
	}
}

func TestClose(t *testing.T) {
	e := newEncoder(t, Config{Width: width, Height: height, FrameRate: 10})
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Encode(frame(capture.NewPool(width, height, 1), 0)); err == nil {
		t.Error("a closed encoder encodes")
	}
}

// The rate is held on a noisy film, which takes far more when it may.
func TestBitRate(t *testing.T) {
	const seconds, fps = 4, 10
	measure := func(rate int) int {
		e := newEncoder(t, Config{Width: 320, Height: 240, FrameRate: fps, BitRate: rate})
		pool := capture.NewPool(320, 240, 1)
		rng := rand.New(rand.NewPCG(1, 2))
		bits := 0
		for range seconds * fps {
			f, _ := pool.Get()
			for i := range f.Y {
				f.Y[i] = byte(100 + rng.IntN(40))
			}
			unit, err := e.Encode(f)
			f.Release()
			if err != nil {
				t.Fatal(err)
			}
			bits += 8 * len(unit.Data)
		}
		return bits / seconds
	}
	const low = 400_000
	bounded, free := measure(low), measure(20*low)
	if bounded > low*3/2 {
		t.Errorf("%d bit/s, want about %d", bounded, low)
	}
	if free < 3*low {
		t.Errorf("%d bit/s with %d allowed: the film is too simple to test the bound", free, 20*low)
	}
}

func TestStreamDecodes(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is not installed: run `make deps`")
	}
	const frames = 25
	e := newEncoder(t, Config{Width: width, Height: height, FrameRate: 10, KeyInterval: 10})
	stream, _ := encode(t, e, frames, nil)
	decode := func(stream []byte) (frames int, complaints string) {
		cmd := exec.Command("ffmpeg", "-v", "error", "-f", "h264", "-i", "pipe:", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:")
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(stream), &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		return len(out) / (width * height * 3 / 2), stderr.String()
	}
	if n, complaints := decode(stream); n != frames || complaints != "" {
		t.Errorf("%d frames, want %d; ffmpeg says %q", n, frames, complaints)
	}
	// The check can fail: with a byte of a slice wrong, ffmpeg complains.
	damaged := bytes.Clone(stream)
	for i := len(damaged) / 2; i < len(damaged)/2+20; i++ {
		damaged[i] ^= 0x55
	}
	if _, complaints := decode(damaged); complaints == "" {
		t.Error("ffmpeg says nothing of a damaged stream")
	}
}

func BenchmarkEncode(b *testing.B) {
	const w, h = 640, 360
	e, err := New(Config{Width: w, Height: h, FrameRate: 15})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	pool := capture.NewPool(w, h, 8)
	var frames []*capture.Frame
	for n := range 8 {
		frames = append(frames, frame(pool, n))
	}
	b.SetBytes(w * h)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := e.Encode(frames[i%len(frames)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
