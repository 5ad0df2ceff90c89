// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"image"
	"testing"
	"time"
)

func TestLoan(t *testing.T) {
	memory := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	returned := 0
	l := NewLoan(NewPool(2, 2, 1), func(whole *Frame) {
		copy(whole.Y, memory[:2])
		copy(whole.Y[whole.YStride:], memory[4:6])
	}, func() { returned++ })
	l.Rect, l.Y, l.YStride = image.Rect(0, 0, 2, 2), memory, 4

	f := l.Lend()
	f.Seq, f.PTS, f.Light.Lux = 7, time.Second, 3
	if p := f.Luma(); &p.Pix[0] != &memory[0] || p.Stride != 4 {
		t.Error("the luma is not the device's own memory")
	}
	kept, ok := f.Keep()
	if !ok || kept == f || kept.Y[0] != 1 || kept.Y[kept.YStride] != 5 || kept.Seq != 7 || kept.PTS != time.Second || kept.Light.Lux != 3 {
		t.Fatalf("kept %+v, %v", kept, ok)
	}
	if _, ok := f.Keep(); ok {
		t.Error("a second copy from a pool of one")
	}
	f.Release()
	if returned != 1 {
		t.Errorf("given back %d times", returned)
	}
	memory[0] = 99
	if again, ok := kept.Keep(); !ok || again != kept || kept.Y[0] != 1 {
		t.Error("what is kept is kept as it is")
	}
	kept.Release()
	kept.Release()
	if l.Lend().Release(); returned != 2 {
		t.Errorf("given back %d times", returned)
	}
}

func TestKeepOfAPooledFrameCopiesNothing(t *testing.T) {
	f, _ := NewPool(2, 2, 1).Get()
	if kept, ok := f.Keep(); !ok || kept != f {
		t.Error("another frame")
	}
	f.Release()
	f.Release()
}

func TestLoanAllocatesNothing(t *testing.T) {
	l := NewLoan(NewPool(2, 2, 2), func(*Frame) {}, func() {})
	n := testing.AllocsPerRun(100, func() {
		f := l.Lend()
		kept, _ := f.Keep()
		f.ReleaseFunc()()
		kept.Release()
	})
	if n != 0 {
		t.Errorf("%g allocations", n)
	}
}
