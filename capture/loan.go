// SPDX-License-Identifier: Apache-2.0

package capture

// A Loan is a frame whose luma lies in a device's own memory: the detector reads it there, and nothing is copied for that. A
// device has few such buffers, so whoever keeps a frame for longer than until the next one calls [Frame.Keep], which copies it
// then. Only the luma of a frame on loan is promised; what Keep returns is whole.
type Loan struct {
	Frame
	copies *Pool
	fill   func(whole *Frame)
	back   func()
}

// NewLoan makes a frame that is lent again and again. Its owner sets Rect, Y and YStride once, and Seq, PTS and Wall each time
// before [Loan.Lend]. fill writes the picture into a frame of the pool copies; back is called with each last release, by
// whoever releases.
func NewLoan(copies *Pool, fill func(whole *Frame), back func()) *Loan {
	l := &Loan{copies: copies, fill: fill, back: back}
	l.home = l
	l.lent = l
	l.release = l.Release
	return l
}

// Lend returns the frame with one reference. It is not called again before back was.
func (l *Loan) Lend() *Frame {
	l.refs.Store(1)
	return &l.Frame
}

// put implements home.
func (l *Loan) put(*Frame) { l.back() }

// Keep returns the frame for somebody who keeps it, with a reference of their own: f itself, or a copy of a frame on [Loan]. It
// is false when no frame is free for the copy. Only a holder of a reference may call it.
func (f *Frame) Keep() (*Frame, bool) {
	if f.lent == nil {
		return f.Retain(), true
	}
	whole, ok := f.lent.copies.Get()
	if !ok {
		return nil, false
	}
	f.lent.fill(whole)
	whole.Seq, whole.PTS, whole.Wall, whole.Light = f.Seq, f.PTS, f.Wall, f.Light
	return whole, true
}

// home is where a frame goes with its last release.
type home interface{ put(*Frame) }
