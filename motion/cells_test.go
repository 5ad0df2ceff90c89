// SPDX-License-Identifier: Apache-2.0

package motion

import "testing"

func TestSetHabits(t *testing.T) {
	d, err := New(DefaultConfig(), 320, 240)
	if err != nil {
		t.Fatal(err)
	}
	cols, rows, _, _ := d.Grid()
	habits := make([]uint8, cols*rows)
	before := d.Cells(nil)
	if err := d.SetHabits(habits); err != nil {
		t.Fatal(err)
	}
	for i, c := range d.Cells(nil) { // none at all are those of a new detector
		if c != before[i] {
			t.Fatalf("block %d is %+v, was %+v", i, c, before[i])
		}
	}
	for i := range habits {
		habits[i] = uint8(i)
	}
	if err := d.SetHabits(habits); err != nil {
		t.Fatal(err)
	}
	for i, c := range d.Cells(nil) {
		if c.Habit != uint8(i) || c.Limit < before[i].Limit {
			t.Fatalf("block %d is %+v", i, c)
		}
	}
	if last := d.Cells(nil)[255]; last.Limit <= before[255].Limit {
		t.Errorf("the most used block has the limit %d, as before", last.Limit)
	}
	for _, n := range []int{0, cols*rows - 1, cols*rows + 1} {
		if err := d.SetHabits(make([]uint8, n)); err == nil {
			t.Errorf("took habits of %d blocks for %d", n, cols*rows)
		}
	}
	if c := d.Cells(nil)[7]; c.Habit != 7 {
		t.Errorf("what was refused has changed block 7 to %+v", c)
	}
}
