// SPDX-License-Identifier: Apache-2.0

package capture

import "testing"

// What was seen is overwritten: at once where nobody holds it, and with the last release otherwise.
func TestPoolErase(t *testing.T) {
	p := NewPool(8, 4, 3)
	var frames []*Frame
	for range 3 {
		f, _ := p.Get()
		for _, plane := range [][]byte{f.Y, f.Cb, f.Cr} {
			for i := range plane {
				plane[i] = 200
			}
		}
		frames = append(frames, f)
	}
	blank := func(f *Frame) bool {
		for _, plane := range [][]byte{f.Y, f.Cb, f.Cr} {
			for _, v := range plane {
				if v != 0 {
					return false
				}
			}
		}
		return true
	}
	frames[0].Release()
	held := frames[1].Retain()
	p.Erase()
	if !blank(frames[0]) {
		t.Error("a frame that nobody held is still there")
	}
	frames[1].Release()
	if blank(held) || blank(frames[2]) {
		t.Error("a frame was overwritten under its holder")
	}
	held.Release()
	frames[2].Release()
	if !blank(held) || !blank(frames[2]) {
		t.Error("a frame that came back later is still there")
	}
}
