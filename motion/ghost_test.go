// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"testing"
	"time"
)

// TestGhostOutline: the outline of a thing is in the picture while it is there, and only in the background when it left.
func TestGhostOutline(t *testing.T) {
	room, thing := newPlane(64, 64), newPlane(64, 64)
	for i := range room.Pix {
		room.Pix[i] = byte(120 + i%7)
		thing.Pix[i] = room.Pix[i]
		if x, y := i%64, i/64; x >= 12 && x < 44 && y >= 10 && y < 50 {
			thing.Pix[i] = byte(40 + i%5)
		}
	}
	d, err := New(DefaultConfig(), 64, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.blocks {
		if x, y := i%8, i/8; x >= 1 && x <= 5 && y >= 1 && y <= 6 {
			d.find.queue = append(d.find.queue, int32(i))
		}
	}
	d.bg = room
	if d.ghost(thing) {
		t.Error("a thing is taken for a ghost")
	}
	d.bg = thing
	if !d.ghost(room) {
		t.Error("a ghost is taken for a thing")
	}
	d.blocks[d.find.queue[3]].vague = true
	if d.ghost(room) {
		t.Error("a background that is a guess is believed")
	}
	d.find.queue = d.find.queue[:0]
	if d.ghost(room) {
		t.Error("nothing is taken for a ghost")
	}
}

// TestGhostIsShort: somebody stood there since before the camera was switched on, and leaves. The hole is quiet sooner
// than a thing that was put down.
func TestGhostIsShort(t *testing.T) {
	s := newStage(t, DefaultConfig(), 160, 120)
	for i := range s.room {
		s.room[i] = byte(150 + i%3)
	}
	s.thing = [4]int{60, 40, 30, 60}
	s.settle()
	s.play(8, func(i int) { s.thing[0] += 6 })
	s.play(20, func(i int) { s.thing[0] += 6 })
	s.leave()
	n := s.play(30, nil)
	if limit := int((lively + s.detector.cfg.Off) / (100 * time.Millisecond)); n >= limit {
		t.Errorf("motion in %d frames after everybody left, a thing put down has %d", n, limit)
	}
}

// TestForever: a screen that is switched on changes all the time. It is background in the end.
func TestForever(t *testing.T) {
	cfg := DefaultConfig()
	s := newStage(t, cfg, 160, 120)
	s.settle()
	screen := func(i int) {
		for y := 40; y < 72; y++ {
			for x := 80; x < 120; x++ {
				s.room[y*160+x] = byte(200 + 40*((i+y/3)%2))
			}
		}
	}
	wait := int(foreverWaits * cfg.Absorb / (100 * time.Millisecond))
	s.play(2*wait, screen)
	if n := s.play(60, screen); n > 0 {
		t.Errorf("motion in %d of 60 frames of a screen that is on for %v", n, 2*foreverWaits*cfg.Absorb)
	}
}
