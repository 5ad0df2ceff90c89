// SPDX-License-Identifier: Apache-2.0

package motion

import "fmt"

// Levels of a Cell.
const (
	CellQuiet  = levelNone
	CellWeak   = levelWeak   // differs, but only enough to keep a motion alive
	CellStrong = levelStrong // differs
)

// Cell is what the detector thinks of one block of the picture, for those who want to see why it decided.
type Cell struct {
	Level   uint8 // CellQuiet, CellWeak or CellStrong
	Limit   uint8 // levels of luma by which a sample must differ
	Busy    uint8 // how busy the block was in the last seconds: 0 to 128
	Habit   uint8 // and how busy by habit, over hours: 0 to 255
	Ignored bool  // no zone counts it
}

// Grid returns the number of blocks, and the width and height of one as shares of the picture. Blocks at the right and
// the lower edge may be cut by it.
func (d *Detector) Grid() (cols, rows int, width, height float64) {
	return d.grid.cols, d.grid.rows, float64(side*d.scale) / float64(d.w), float64(side*d.scale) / float64(d.h)
}

// Cells appends all blocks, row by row, as the last call of Process left them.
func (d *Detector) Cells(cells []Cell) []Cell {
	for i := range d.blocks {
		b := &d.blocks[i]
		cells = append(cells, Cell{
			Level: b.level, Limit: uint8(min(d.strong(i), 255)), Busy: uint8(b.busy), Habit: uint8(b.habit), Ignored: d.zones.weight[i] == 0,
		})
	}
	return cells
}

// SetHabits sets how busy each block is by habit, row by row as [Detector.Cells] tells it: what a detector for pictures of this
// size learnt before the program was restarted. It copies the habits. The error says that there are more or fewer than blocks.
func (d *Detector) SetHabits(habits []uint8) error {
	if len(habits) != len(d.blocks) {
		return fmt.Errorf("motion detector: habits of %d blocks, and the picture has %d", len(habits), len(d.blocks))
	}
	for i, h := range habits {
		d.blocks[i].habit = uint16(h)
	}
	return nil
}

// ResetBusy forgets which blocks were busy: the tree was cut, the flag was taken in.
func (d *Detector) ResetBusy() {
	for i := range d.blocks {
		d.blocks[i].busy, d.blocks[i].habit = 0, 0
	}
}
