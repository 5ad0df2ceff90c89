// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
)

// A Fault is a kind of [Problem]. The strings are stable, for programs.
type Fault string

const (
	Gap      Fault = "gap"      // records Seq..To are not in the store
	Fork     Fault = "fork"     // the record names another predecessor than the one stored
	Unsigned Fault = "unsigned" // the record is damaged, or not signed by the device
	Missing  Fault = "missing"  // a file of the clip is not there, and neither a later record nor a tombstone says why
	Forged   Fault = "forged"   // the clip's tombstone is damaged, or not the hub's
	Size     Fault = "size"     // a file of the clip has another size than its record says
	Hash     Fault = "hash"     // a file of the clip has another SHA-256 than its record says
	Repeated Fault = "repeated" // two records carry the same clip id
	Stray    Fault = "stray"    // a file that no record names
)

// A Problem is one thing wrong with a device's part of the store.
type Problem struct {
	Fault  Fault  `json:"fault"`
	Seq    uint64 `json:"seq,omitempty"`  // the record, or the first one of a gap
	To     uint64 `json:"to,omitempty"`   // the last record of a gap
	Clip   string `json:"clip,omitempty"` // clip id
	Path   string `json:"path,omitempty"`
	Detail string `json:"detail"` // for people
}

func (p Problem) String() string { return string(p.Fault) + ": " + p.Detail }

// A Declared is a loss that the device itself recorded and signed. It is not a problem of the store.
type Declared struct {
	Seq  uint64      `json:"seq"`
	Loss record.Loss `json:"loss"`
}

// A Happening is an event that the device recorded and signed. It is not a problem of the store.
type Happening struct {
	Seq   uint64       `json:"seq"`
	Event record.Event `json:"event"`
}

// A Removal is a clip that the hub removed and says so, signed. It is not a problem either.
type Removal struct {
	Seq     uint64    `json:"seq"`
	Clip    string    `json:"clip"`
	Removed time.Time `json:"removed"`
	Reason  string    `json:"reason"`
}

// A Report is what [Device.Verify] found.
type Report struct {
	Device   string      `json:"device"`
	Records  int         `json:"records"`  // that verify
	Clips    int         `json:"clips"`    // whose two files are there and match their record
	Bytes    int64       `json:"bytes"`    // of those clips
	Arriving int         `json:"arriving"` // clips that are not stored yet: the camera has them
	Head     uint64      `json:"head"`     // highest sequence number
	Losses   []Declared  `json:"losses"`
	Events   []Happening `json:"events"`
	Removals []Removal   `json:"removals"`
	Problems []Problem   `json:"problems"`
}

// OK reports whether nothing is wrong. Declared losses, events and removals are not wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Verify reads everything the store holds of the device: each record's signature and its place in the
// chain, each clip's size and SHA-256, and files that nothing accounts for. Records whose clips arrive
// have their place in the chain, and no more is said of them. All of these are named in the report; the error is about not being able to look. Records cut off at the end of the chain cannot
// be seen from here: only the camera, or its next record, knows that there were more. The clip that a
// running hub is just committing may show up as a stray file.
func (d *Device) Verify(ctx context.Context) (Report, error) { return d.verify(ctx, false) }

// Check is [Device.Verify] without reading the clips: of these it looks at the size only.
func (d *Device) Check(ctx context.Context) (Report, error) { return d.verify(ctx, true) }

func (d *Device) verify(ctx context.Context, quick bool) (Report, error) {
	v := verifier{d: d, quick: quick, report: Report{Device: d.ID}, clips: map[string]uint64{}, evicted: map[string]uint64{},
		arriving: map[string]bool{}, removed: map[string]bool{}}
	// Looked at first: what is committed meanwhile is seen twice, and not left out.
	arriving, err := d.Arriving()
	if err != nil {
		v.problem(Unsigned, 0, "", "%v", err)
	}
	for e, err := range d.Records() {
		if ctx.Err() != nil {
			return v.report, ctx.Err()
		}
		if e.Seq == 0 {
			return v.report, err
		}
		for len(arriving) > 0 && arriving[0].Seq <= e.Seq {
			if arriving[0].Seq < e.Seq {
				v.await(arriving[0])
			}
			arriving = arriving[1:]
		}
		v.stored(e, err)
	}
	for _, a := range arriving {
		v.await(a)
	}
	if err := v.bodies(ctx); err != nil {
		return v.report, err
	}
	return v.report, errors.Join(v.strays(recordsDir), v.strays(clipsDir), v.strays(tombstonesDir))
}

type verifier struct {
	d       *Device
	quick   bool // bodies are not read
	report  Report
	prev    string            // hex hash that the next record must name; empty: unknown
	held    []Entry           // records of clips, without their JWS
	clips   map[string]uint64 // clip id -> seq of its record
	evicted map[string]uint64 // clip id -> seq of the last record that declares it evicted
	removed map[string]bool   // clip ids that have a tombstone

	arriving map[string]bool // clip id of those that are not stored
}

func (v *verifier) problem(f Fault, seq uint64, clip, format string, args ...any) *Problem {
	v.report.Problems = append(v.report.Problems, Problem{Fault: f, Seq: seq, Clip: clip, Detail: fmt.Sprintf(format, args...)})
	return &v.report.Problems[len(v.report.Problems)-1]
}

// await takes the record of a clip that is not stored.
func (v *verifier) await(a Arriving) {
	v.link(a.Entry, nil)
	v.report.Arriving++
	v.arriving[a.Record.Clip.ID] = true
}

// stored takes a record that is.
func (v *verifier) stored(e Entry, err error) {
	v.link(e, err)
	if err != nil {
		return
	}
	v.report.Records++
	if l := e.Record.Loss; l != nil {
		v.report.Losses = append(v.report.Losses, Declared{e.Seq, *l})
		if l.Clip != "" && l.Reason == record.Evicted {
			v.evicted[l.Clip] = e.Seq
		}
	}
	if ev := e.Record.Event; ev != nil {
		v.report.Events = append(v.report.Events, Happening{e.Seq, *ev})
	}
	if c := e.Record.Clip; c != nil {
		if first, ok := v.clips[c.ID]; ok {
			v.problem(Repeated, e.Seq, c.ID, "record %d carries the clip %s of record %d", e.Seq, c.ID, first)
			return
		}
		v.clips[c.ID] = e.Seq
		v.tombstone(e)
		e.JWS = nil
		v.held = append(v.held, e)
	}
}

// link checks a record's signature (err) and that it follows the one before.
func (v *verifier) link(e Entry, err error) {
	switch head := v.report.Head; {
	case e.Seq == head: // two that arrive
		v.problem(Fork, e.Seq, "", "there is another record %d", e.Seq)
		return
	case e.Seq > head+1:
		v.problem(Gap, head+1, "", "records %d to %d are not in the store", head+1, e.Seq-1).To = e.Seq - 1
		v.prev = ""
	case head == 0:
		v.prev = strings.Repeat("0", 2*sha256.Size)
	}
	v.report.Head = e.Seq
	if err != nil {
		v.problem(Unsigned, e.Seq, "", "%v", err)
		v.prev = "" // the next record names the record as it was, which we do not have
		return
	}
	if v.prev != "" && e.Record.Prev != v.prev {
		v.problem(Fork, e.Seq, "", "record %d follows record %s, the store holds %s", e.Seq, e.Record.Prev, v.prev)
	}
	hash := record.Hash(e.JWS)
	v.prev = hex.EncodeToString(hash[:])
}

func (v *verifier) tombstone(e Entry) {
	t, err := v.d.Tombstone(e)
	switch {
	case err == nil:
		v.removed[t.Clip] = true
		v.report.Removals = append(v.report.Removals, Removal{t.Seq, t.Clip, t.Removed, t.Reason})
	case !errors.Is(err, fs.ErrNotExist):
		v.problem(Forged, e.Seq, e.Record.Clip.ID, "%v", err).Path = TombstonePath(v.d.dir, e.Seq)
	}
}

// bodies checks the two files of every clip.
func (v *verifier) bodies(ctx context.Context) error {
	for _, e := range v.held {
		c := e.Record.Clip
		sound := true
		for _, f := range []struct {
			path string
			part record.Part
		}{{v.d.ClipPath(c.ID), c.Body}, {v.d.DetailsPath(c.ID), c.Details}} {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			ok, err := v.body(e.Seq, c.ID, f.path, f.part)
			if err != nil {
				return err
			}
			sound = sound && ok
		}
		if sound {
			v.report.Clips++
			v.report.Bytes += c.Body.Size + c.Details.Size
		}
	}
	return nil
}

func (v *verifier) body(seq uint64, clip, path string, want record.Part) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if v.evicted[clip] <= seq && !v.removed[clip] {
			v.problem(Missing, seq, clip, "%s of record %d is not there", path, seq).Path = path
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("check clip %s: %w", clip, err)
	}
	defer f.Close()
	h := sha256.New()
	var size int64
	if info, e := f.Stat(); v.quick && e == nil {
		size = info.Size()
	} else {
		size, err = io.Copy(h, f)
	}
	if err != nil {
		return false, fmt.Errorf("check clip %s: %w", clip, err)
	}
	if size != want.Size {
		v.problem(Size, seq, clip, "%s has %d bytes, record %d says %d", path, size, seq, want.Size).Path = path
		return false, nil
	}
	if sum := hex.EncodeToString(h.Sum(nil)); !v.quick && sum != want.SHA256 {
		v.problem(Hash, seq, clip, "%s has SHA-256 %s, record %d says %s", path, sum, seq, want.SHA256).Path = path
		return false, nil
	}
	return true, nil
}

// strays names the files in a folder of the device that no record accounts for.
func (v *verifier) strays(dir string) error {
	entries, err := os.ReadDir(filepath.Join(v.d.dir, dir))
	if dir == tombstonesDir {
		entries, err = noFolder(entries, err) // nothing was ever removed
	}
	if err != nil {
		return fmt.Errorf("look for stray files of %s: %w", v.d.ID, err)
	}
	known := map[string]bool{}
	if dir == recordsDir {
		seqs, err := v.d.seqs()
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			known[filepath.Base(RecordPath(v.d.dir, seq))] = true
		}
	}
	for id := range v.arriving { // by a commit that was cut off
		known[id+clipSuffix], known[id+detailsSuffix] = dir == clipsDir, dir == clipsDir
	}
	for id, seq := range v.clips {
		known[id+clipSuffix], known[id+detailsSuffix] = dir == clipsDir, dir == clipsDir
		if dir == tombstonesDir {
			known[filepath.Base(TombstonePath(v.d.dir, seq))] = true
		}
	}
	for _, e := range entries {
		if !known[e.Name()] {
			path := filepath.Join(v.d.dir, dir, e.Name())
			v.problem(Stray, 0, "", "%s belongs to no record", path).Path = path
		}
	}
	return nil
}
