// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"image"
	"math"
	"sync"
	"testing"
)

func TestFrameReturnsOnLastRelease(t *testing.T) {
	p := NewPool(4, 2, 2)
	f, ok := p.Get()
	if !ok || p.Free() != 1 {
		t.Fatalf("got %v with %d frames left, want a frame and 1 left", ok, p.Free())
	}
	f.Retain()
	f.Release()
	if p.Free() != 1 {
		t.Error("frame returned while a reference was left")
	}
	f.Release()
	if p.Free() != 2 {
		t.Error("frame did not return on its last release")
	}
}

func TestFrameMisuse(t *testing.T) {
	tests := map[string]func(*Frame){
		"release": (*Frame).Release,
		"retain":  func(f *Frame) { f.Retain() },
	}
	for name, misuse := range tests {
		t.Run(name+" after the last release", func(t *testing.T) {
			f, _ := NewPool(2, 2, 1).Get()
			f.Release()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(f)
		})
	}
}

func TestFrameSharedByGoroutines(t *testing.T) {
	p := NewPool(2, 2, 1)
	f, _ := p.Get()
	var wg sync.WaitGroup
	for range 8 {
		f.Retain()
		wg.Go(func() {
			for range 1000 {
				f.Retain().Release()
			}
			f.Release()
		})
	}
	f.Release()
	wg.Wait()
	if p.Free() != 1 {
		t.Error("frame did not return")
	}
}

func TestFrameIsAnImage(t *testing.T) {
	f, _ := NewPool(6, 4, 1).Get()
	var img image.Image = f
	if got := img.Bounds(); got != image.Rect(0, 0, 6, 4) {
		t.Errorf("bounds %v", got)
	}
	if p := f.Luma(); p.W != 6 || p.H != 4 || len(p.Pix) != p.Stride*4 || &p.Pix[0] != &f.Y[0] {
		t.Errorf("luma plane %dx%d, stride %d, %d bytes", p.W, p.H, p.Stride, len(p.Pix))
	}
	if f.SubsampleRatio != image.YCbCrSubsampleRatio420 || f.Bytes() != 6*4*3/2 {
		t.Errorf("%v, %d bytes, want 4:2:0 in 36 bytes", f.SubsampleRatio, f.Bytes())
	}
}

func TestPoolIsBounded(t *testing.T) {
	p := NewPool(2, 2, 2)
	a, _ := p.Get()
	_, _ = p.Get()
	if _, ok := p.Get(); ok {
		t.Fatal("a third frame from a pool of two")
	}
	done := make(chan struct{})
	close(done)
	if _, ok := p.Wait(done); ok {
		t.Error("Wait gave a frame of an empty pool")
	}
	a.Release()
	if f, ok := p.Wait(nil); !ok || f != a {
		t.Error("Wait did not give the frame that was released")
	}
	if p.Frames() != 2 {
		t.Errorf("pool of %d frames", p.Frames())
	}
}

func TestPoolAllocatesNothing(t *testing.T) {
	p := NewPool(2, 2, 1)
	if n := testing.AllocsPerRun(100, func() {
		f, _ := p.Get()
		f.Release()
	}); n != 0 {
		t.Errorf("%g allocations for Get and Release", n)
	}
}

// What was needed in a rush goes when it is over; what is needed again and again stays.
func TestPoolLetsGo(t *testing.T) {
	p := NewPool(2, 2, 100)
	frame := int64(6)
	use := func(n int) { // holds n frames at a time, once
		var held []*Frame
		for range n {
			f, ok := p.Get()
			if !ok {
				t.Fatal("no frame")
			}
			held = append(held, f)
		}
		for _, f := range held {
			f.Release()
		}
	}
	use(1)
	if got := p.Bytes(); got != frame {
		t.Fatalf("one frame was used, %d bytes are there", got)
	}
	use(100)
	if got := p.Bytes(); got != 100*frame {
		t.Fatalf("a hundred were used, %d bytes are there", got)
	}
	for range 2 * trimEvery / 10 { // until a whole span has passed without the rush
		use(10)
	}
	if got := p.Bytes(); got != (10+spare)*frame {
		t.Errorf("ten are used at a time, %d bytes are there, want %d", got, (10+spare)*frame)
	}
	if p.Free() != 100 {
		t.Errorf("%d are free", p.Free())
	}
	if n := testing.AllocsPerRun(3*trimEvery, func() { use10(p) }); n != 0 {
		t.Errorf("%g allocations with ten in use", n)
	}
}

// use10 holds ten frames at a time, and allocates nothing itself.
func use10(p *Pool) {
	var held [10]*Frame
	for i := range held {
		held[i], _ = p.Get()
	}
	for _, f := range held {
		f.Release()
	}
}

// The frame that was released last is the one that is in the cache, and the only one that is touched.
func TestPoolTakesTheLatest(t *testing.T) {
	p := NewPool(2, 2, 8)
	a, _ := p.Get()
	b, _ := p.Get()
	a.Release()
	b.Release()
	if f, _ := p.Get(); f != b {
		t.Error("the frame that was released first came back")
	}
}

func TestNewPoolPanics(t *testing.T) {
	for _, size := range [][3]int{{0, 2, 1}, {2, 2, 0}, {3, 2, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewPool%v did not panic", size)
				}
			}()
			NewPool(size[0], size[1], size[2])
		}()
	}
}

func TestCheckSize(t *testing.T) {
	tests := []struct {
		width, height int
		ok            bool
	}{
		{2, 2, true},
		{8192, 4096, true},
		{8192, 4098, false}, // one row pair beyond MaxPixels
		{math.MaxInt - 1, math.MaxInt - 1, false},
		{0, 2, false},
		{2, -2, false},
		{3, 2, false},
		{2, 3, false},
	}
	for _, test := range tests {
		if err := CheckSize(test.width, test.height); (err == nil) != test.ok {
			t.Errorf("%dx%d: %v", test.width, test.height, err)
		}
	}
}
