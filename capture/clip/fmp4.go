// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/nightjar-cam/nightjar/capture/h264"
)

// timescale is the ticks a second of the film, the one that H.264 is commonly timed in.
const timescale = 90_000

// muxer writes access units as fragmented MP4 (ISO/IEC 14496-12, 8.8): the parameters first, then a fragment for each GOP,
// so that a film that is cut off plays up to the cut. It holds one GOP in memory.
type muxer struct {
	w             io.Writer
	width, height int
	nominal       time.Duration // of a frame, where the next one does not tell

	sequence uint32
	gop      []mp4.FullSample
	base     time.Duration // PTS of the first frame
	pts      time.Duration // of the newest
	duration time.Duration // of the film, once closed
}

func newMuxer(w io.Writer, width, height int, nominal time.Duration) *muxer {
	return &muxer{w: w, width: width, height: height, nominal: nominal}
}

// add takes a frame; PTS rise strictly. A frame's duration is known when the next one comes.
func (m *muxer) add(unit h264.AccessUnit, pts time.Duration) error {
	first := m.sequence == 0
	switch {
	case first && !unit.Keyframe:
		return errors.New("the film does not begin with a keyframe")
	case first:
		if err := m.writeInit(unit.Data); err != nil {
			return err
		}
		m.base = pts
	case pts <= m.pts:
		return fmt.Errorf("frame at %v comes after the one at %v", pts, m.pts)
	default:
		m.setLast(pts - m.base)
		if unit.Keyframe {
			if err := m.flush(); err != nil {
				return err
			}
		}
	}
	m.pts = pts
	flags := mp4.NonSyncSampleFlags
	if unit.Keyframe {
		flags = mp4.SyncSampleFlags
	}
	data := avc.ConvertByteStreamToNaluSample(unit.Data) // length prefixes instead of start codes; writes into unit.Data
	m.gop = append(m.gop, mp4.FullSample{
		Sample:     mp4.NewSample(flags, 0, uint32(len(data)), 0),
		DecodeTime: ticks(pts - m.base),
		Data:       data,
	})
	return nil
}

// close writes the last fragment; its last frame lasts for the given time.
func (m *muxer) close(last time.Duration) error {
	if len(m.gop) == 0 {
		return errors.New("the film has no frame")
	}
	m.duration = m.pts - m.base + last
	m.setLast(m.duration)
	return m.flush()
}

// setLast ends the newest sample at a time of the film. Both ends are rounded from the same timeline: errors do not add up.
func (m *muxer) setLast(end time.Duration) {
	s := &m.gop[len(m.gop)-1]
	s.Dur = uint32(ticks(end) - s.DecodeTime)
}

func (m *muxer) flush() error {
	f, err := mp4.CreateFragment(m.sequence, 1)
	if err != nil {
		return fmt.Errorf("make fragment: %w", err)
	}
	for _, s := range m.gop {
		f.AddFullSample(s)
	}
	clear(m.gop) // or the data of a long GOP would stay in memory behind a short one
	m.gop = m.gop[:0]
	m.sequence++
	return m.write(f.Encode)
}

// writeInit writes the head of the film, with the parameter sets of the first access unit.
func (m *muxer) writeInit(stream []byte) error {
	sps, pps := avc.GetParameterSetsFromByteStream(stream)
	if len(sps) == 0 || len(pps) == 0 {
		return errors.New("the first keyframe has no parameter sets")
	}
	init := mp4.CreateEmptyInit()
	trak := init.AddEmptyTrack(timescale, "video", "und")
	// avc3, because openh264 numbers the parameter sets of each keyframe anew: they have to stand in the samples, and in
	// the head for players that look only there.
	if err := trak.SetAVCDescriptor("avc3", sps[:1], pps[:1], true); err != nil {
		return fmt.Errorf("describe film: %w", err)
	}
	// Frames are full range, BT.601 matrix (as JFIF). Without this players take them for limited range and crush the shadows.
	trak.Mdia.Minf.Stbl.Stsd.AvcX.AddChild(&mp4.ColrBox{
		ColorType: "nclx", ColorPrimaries: 1, TransferCharacteristics: 13, MatrixCoefficients: 6, FullRangeFlag: true,
	})
	m.sequence = 1
	return m.write(init.Encode)
}

// write hands the sink whole boxes.
func (m *muxer) write(encode func(io.Writer) error) error {
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		return fmt.Errorf("encode boxes: %w", err)
	}
	if _, err := m.w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errStorage, err)
	}
	return nil
}

// ticks rounds a time of the film.
func ticks(d time.Duration) uint64 {
	return uint64((int64(d)*timescale/int64(time.Microsecond) + 500_000) / 1_000_000)
}
