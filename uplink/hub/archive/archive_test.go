// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

// fill writes a store with the device porch and the entries, as a hub would have left it.
func fill(t testing.TB, c *camera.Camera, entries ...camera.Entry) *Archive {
	t.Helper()
	root := t.TempDir()
	dir := DeviceDir(root, c.Device)
	about, err := About{ID: c.Device, Identity: c.Public(), Enrolled: camera.Start}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	put(t, AboutPath(dir), about)
	for _, sub := range []string{recordsDir, clipsDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range entries {
		put(t, RecordPath(dir, e.Seq), e.JWS)
		if e.Clip != nil {
			put(t, ClipPath(dir, e.ID()), e.Body)
			put(t, DetailsPath(dir, e.ID()), e.Details)
		}
	}
	a, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func porch(t testing.TB, a *Archive) *Device {
	t.Helper()
	d, err := a.Device("porch")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func report(t testing.TB, a *Archive) Report {
	t.Helper()
	r, err := porch(t, a).Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// five is a chain of clip, loss, clip, clip, and the eviction of the last clip.
func five(c *camera.Camera) []camera.Entry {
	one, two := c.Clip([]byte("clip 1"), []byte("d1")), c.Loss(record.Overflow, "")
	three, four := c.Clip([]byte("clip 3"), []byte("d3")), c.Clip([]byte("clip 4"), []byte("d4"))
	return []camera.Entry{one, two, three, four, c.Loss(record.Evicted, four.ID())}
}

func TestVerifySound(t *testing.T) {
	c := camera.New("porch")
	entries := append(five(c), c.Event(record.PrivacyOn, record.Owner))
	a := fill(t, c, entries...)
	d := porch(t, a)
	evicted := entries[3].ID()
	for _, path := range []string{d.ClipPath(evicted), d.DetailsPath(evicted)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	want := Report{Device: "porch", Records: 6, Clips: 2, Bytes: 16, Head: 6,
		Losses: []Declared{{2, *entries[1].Loss}, {5, *entries[4].Loss}}, Events: []Happening{{6, *entries[5].Event}}}
	if diff := cmp.Diff(want, report(t, a)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestVerifyNamesEveryFault(t *testing.T) {
	flip := func(t *testing.T, path string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		put(t, path, b)
	}
	remove := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name string
		harm func(t *testing.T, d *Device, e []camera.Entry)
		want []Problem
	}{
		{"flipped byte in a clip", func(t *testing.T, d *Device, e []camera.Entry) { flip(t, d.ClipPath(e[0].ID())) },
			[]Problem{{Fault: Hash, Seq: 1}}},
		{"flipped byte in details", func(t *testing.T, d *Device, e []camera.Entry) { flip(t, d.DetailsPath(e[2].ID())) },
			[]Problem{{Fault: Hash, Seq: 3}}},
		{"clip cut short", func(t *testing.T, d *Device, e []camera.Entry) { put(t, d.ClipPath(e[0].ID()), e[0].Body[:3]) },
			[]Problem{{Fault: Size, Seq: 1}}},
		{"clip missing", func(t *testing.T, d *Device, e []camera.Entry) { remove(t, d.ClipPath(e[2].ID())) },
			[]Problem{{Fault: Missing, Seq: 3}}},
		{"clip without a record", func(t *testing.T, d *Device, e []camera.Entry) {
			put(t, d.ClipPath(strings.Repeat("ab", 16)), []byte("x"))
		}, []Problem{{Fault: Stray}}},
		{"file among the records", func(t *testing.T, d *Device, e []camera.Entry) {
			put(t, filepath.Join(d.dir, recordsDir, "notes.txt"), []byte("x"))
		}, []Problem{{Fault: Stray}}},
		{"loss record missing", func(t *testing.T, d *Device, e []camera.Entry) { remove(t, RecordPath(d.dir, 2)) },
			[]Problem{{Fault: Gap, Seq: 2, To: 2}}},
		{"first records missing", func(t *testing.T, d *Device, e []camera.Entry) {
			remove(t, RecordPath(d.dir, 1))
			remove(t, RecordPath(d.dir, 2))
			remove(t, d.ClipPath(e[0].ID()))
			remove(t, d.DetailsPath(e[0].ID()))
		}, []Problem{{Fault: Gap, Seq: 1, To: 2}}},
		{"clip record missing", func(t *testing.T, d *Device, e []camera.Entry) { remove(t, RecordPath(d.dir, 3)) },
			[]Problem{{Fault: Gap, Seq: 3, To: 3}, {Fault: Stray}, {Fault: Stray}}},
		{"flipped byte in a record", func(t *testing.T, d *Device, e []camera.Entry) { flip(t, RecordPath(d.dir, 2)) },
			[]Problem{{Fault: Unsigned, Seq: 2}}},
		{"record of another device's key", func(t *testing.T, d *Device, e []camera.Entry) {
			other := camera.New("porch")
			other.Seq, other.Prev = 1, e[1].Prev
			put(t, RecordPath(d.dir, 2), other.Loss(record.Overflow, "").JWS)
		}, []Problem{{Fault: Unsigned, Seq: 2}}},
		{"record under another number", func(t *testing.T, d *Device, e []camera.Entry) { put(t, RecordPath(d.dir, 2), e[4].JWS) },
			[]Problem{{Fault: Unsigned, Seq: 2}}},
		{"two gaps", func(t *testing.T, d *Device, e []camera.Entry) {
			remove(t, RecordPath(d.dir, 2))
			remove(t, RecordPath(d.dir, 4))
			remove(t, d.ClipPath(e[3].ID()))
			remove(t, d.DetailsPath(e[3].ID()))
		}, []Problem{{Fault: Gap, Seq: 2, To: 2}, {Fault: Gap, Seq: 4, To: 4}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := camera.New("porch")
			entries := five(c)
			a := fill(t, c, entries...)
			row.harm(t, porch(t, a), entries)
			got := report(t, a)
			if diff := cmp.Diff(row.want, got.Problems, cmpopts.IgnoreFields(Problem{}, "Clip", "Path", "Detail")); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, got.Problems)
			}
			quick, err := porch(t, a).Check(t.Context())
			want := slices.DeleteFunc(slices.Clone(got.Problems), func(p Problem) bool { return p.Fault == Hash })
			if diff := cmp.Diff(want, quick.Problems, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%v, quick problems (-want +got):\n%s", err, diff)
			}
			for _, p := range got.Problems {
				if p.Detail == "" || got.OK() {
					t.Errorf("problem %+v, OK %v", p, got.OK())
				}
			}
		})
	}
}

// An eviction counts only for a clip that was recorded before it.
func TestEvictionMustFollow(t *testing.T) {
	c := camera.New("porch")
	early := c.Loss(record.Evicted, strings.Repeat("ab", 16))
	late := c.ClipWith([]byte("x"), []byte("y"), func(r *record.Record) { r.Clip.ID = strings.Repeat("ab", 16) })
	a := fill(t, c, early, late)
	if err := os.Remove(porch(t, a).ClipPath(late.ID())); err != nil {
		t.Fatal(err)
	}
	if r := report(t, a); len(r.Problems) != 1 || r.Problems[0].Fault != Missing {
		t.Errorf("problems %v, want the missing clip", r.Problems)
	}
}

func TestForkAndRepeatedClip(t *testing.T) {
	c := camera.New("porch")
	first := c.Clip([]byte("x"), []byte("y"))
	c.Prev = strings.Repeat("12", 32)
	fork := c.Loss(record.Overflow, "")
	again := c.ClipWith([]byte("x"), []byte("y"), func(r *record.Record) { r.Clip.ID = first.ID() })
	r := report(t, fill(t, c, first, fork, again))
	if len(r.Problems) != 2 || r.Problems[0].Fault != Fork || r.Problems[0].Seq != 2 || r.Problems[1].Fault != Repeated {
		t.Errorf("problems %v, want a fork and a repeated clip", r.Problems)
	}
}

// Names of records grow beyond eight digits; their order is that of numbers.
func TestRecordsInOrder(t *testing.T) {
	c := camera.New("porch")
	c.Seq, c.Prev = 99_999_998, strings.Repeat("12", 32)
	a := fill(t, c, c.Loss("a", ""), c.Loss("b", ""), c.Loss("c", ""))
	var got []uint64
	for e, err := range porch(t, a).Records() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Record.Seq)
	}
	if want := []uint64{99_999_999, 100_000_000, 100_000_001}; !cmp.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestDevices(t *testing.T) {
	c := camera.New("porch")
	a := fill(t, c)
	if err := os.MkdirAll(filepath.Join(a.dir, devicesDir, "garage", recordsDir), 0o700); err != nil {
		t.Fatal(err) // an enrolment that was cut
	}
	all, err := a.Devices()
	if err != nil || len(all) != 1 || all[0].ID != "porch" || !all[0].Identity.Equal(c.Public()) {
		t.Errorf("devices %v, %v", all, err)
	}
	for _, id := range []string{"garage", "attic", "", "..", "../devices/porch", "porch/"} {
		if _, err := a.Device(id); !errors.Is(err, ErrNoDevice) {
			t.Errorf("device %q: %v", id, err)
		}
	}
	put(t, AboutPath(DeviceDir(a.dir, "porch")), []byte(`{"id":"garage"}`))
	if _, err := a.Devices(); err == nil {
		t.Error("a device.json of another device is taken")
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoStore) {
		t.Errorf("empty folder: %v", err)
	}
}

func TestVerifyCanBeStopped(t *testing.T) {
	c := camera.New("porch")
	a := fill(t, c, five(c)...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := porch(t, a).Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestValidClip(t *testing.T) {
	for id, want := range map[string]bool{
		strings.Repeat("0f", 16): true, strings.Repeat("0F", 16): false, "": false,
		strings.Repeat("0f", 15): false, "../" + strings.Repeat("0", 29): false, strings.Repeat("0g", 16): false,
	} {
		if ValidClip(id) != want {
			t.Errorf("ValidClip(%q) = %v", id, !want)
		}
	}
}
