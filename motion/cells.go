// SPDX-License-Identifier: Apache-2.0

package motion

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
	Busy    uint8 // how busy the block is by habit: 0 to 128
	Ignored bool  // no zone counts it
}

// Grid returns the number of blocks, and the width and height of one as shares of the picture. Blocks at the right and
// the lower edge may be cut by it.
func (d *Detector) Grid() (cols, rows int, width, height float64) {
	return d.grid.cols, d.grid.rows, side / float64(d.grid.w), side / float64(d.grid.h)
}

// Cells appends all blocks, row by row, as the last call of Process left them.
func (d *Detector) Cells(cells []Cell) []Cell {
	for i := range d.blocks {
		b := &d.blocks[i]
		cells = append(cells, Cell{
			Level: b.level, Limit: uint8(min(d.strong(i), 255)), Busy: uint8(b.busy), Ignored: d.zones.weight[i] == 0,
		})
	}
	return cells
}
