// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"strconv"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// Verdict is what the detector says of one frame.
type Verdict struct {
	Frame  int
	T      time.Duration
	Motion bool
	Score  float64
	Boxes  []motion.Box
	Why    string
}

func verdict(f Frame, r motion.Result) Verdict {
	return Verdict{Frame: f.N, T: f.PTS, Motion: r.Motion, Score: r.Score, Boxes: r.Boxes, Why: r.Why}
}

// AppendJSON appends the verdict as one line of JSON. Every number has a fixed precision, so that the same film gives the
// same bytes on every processor: the last bit of a float is nobody's business.
func (v Verdict) AppendJSON(b []byte) []byte {
	b = append(b, `{"frame":`...)
	b = strconv.AppendInt(b, int64(v.Frame), 10)
	b = append(b, `,"t":`...)
	b = appendSeconds(b, v.T)
	b = append(b, `,"motion":`...)
	b = strconv.AppendBool(b, v.Motion)
	b = append(b, `,"score":`...)
	b = appendShare(b, v.Score)
	b = append(b, `,"boxes":[`...)
	for i, box := range v.Boxes {
		if i > 0 {
			b = append(b, ',')
		}
		for j, x := range [...]float64{box.X0, box.Y0, box.X1, box.Y1} {
			b = append(b, "[,,,"[j])
			b = appendShare(b, x)
		}
		b = append(b, ']')
	}
	b = append(b, `],"why":`...)
	b = strconv.AppendQuote(b, v.Why) // the reasons are plain words
	return append(b, "}\n"...)
}

// appendSeconds writes a time with at most six decimals, rounded down.
func appendSeconds(b []byte, t time.Duration) []byte {
	if t < 0 {
		b, t = append(b, '-'), -t
	}
	us := t.Microseconds()
	b = strconv.AppendInt(b, us/1e6, 10)
	if part := us % 1e6; part > 0 {
		digits := strconv.AppendInt(nil, part+1e6, 10) // a one in front keeps the zeros
		for digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
		digits[0] = '.'
		b = append(b, digits...)
	}
	return b
}

// appendShare writes a number of 0 to 1 with four decimals.
func appendShare(b []byte, x float64) []byte {
	return strconv.AppendFloat(b, x, 'f', 4, 64)
}
