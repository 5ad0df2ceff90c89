// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

var oldKey, newKey = ed25519.NewKeyFromSeed(make([]byte, 32)), ed25519.NewKeyFromSeed([]byte("the key of the hub after a while"))

func putKeys(t testing.TB, a *Archive, keys ...ed25519.PrivateKey) {
	t.Helper()
	var b []byte
	for _, k := range keys {
		der, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	put(t, ReceiptKeysPath(a.dir), b)
}

// entomb writes the tombstone of an entry and removes its files.
func entomb(t testing.TB, d *Device, key ed25519.PrivateKey, e camera.Entry, change func(*record.Tombstone)) {
	t.Helper()
	hash := record.Hash(e.JWS)
	s := record.Tombstone{Version: record.Version, Device: d.ID, Seq: e.Seq, Record: hex.EncodeToString(hash[:]), Clip: e.ID(),
		Removed: camera.Start, Reason: record.Aged}
	if change != nil {
		change(&s)
	}
	jws, err := record.SignTombstone(key, s)
	if err != nil {
		t.Fatal(err)
	}
	put(t, TombstonePath(d.dir, e.Seq), jws)
	if err := errors.Join(os.Remove(d.ClipPath(e.ID())), os.Remove(d.DetailsPath(e.ID()))); err != nil {
		t.Fatal(err)
	}
}

func TestTombstone(t *testing.T) {
	c := camera.New("porch")
	entries := []camera.Entry{c.Clip([]byte("one"), []byte("d")), c.Clip([]byte("two"), []byte("d")), c.Clip([]byte("three"), []byte("d"))}
	a := fill(t, c, entries...)
	d := porch(t, a)
	first, err := d.Entry(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Tombstone(first); !errors.Is(err, fs.ErrNotExist) || d.Gone(first) {
		t.Errorf("no tombstone: %v", err)
	}
	putKeys(t, a, oldKey, newKey)
	entomb(t, d, oldKey, entries[0], nil) // of before the hub's key changed
	entomb(t, d, newKey, entries[1], nil)
	want := Report{Device: "porch", Records: 3, Clips: 1, Bytes: 6, Head: 3, Removals: []Removal{
		{1, entries[0].ID(), camera.Start, record.Aged}, {2, entries[1].ID(), camera.Start, record.Aged}}}
	if diff := cmp.Diff(want, report(t, a)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if !d.Gone(first) {
		t.Error("the clip is not gone")
	}
}

func TestTombstonesNotToBeBelieved(t *testing.T) {
	stranger := ed25519.NewKeyFromSeed([]byte("a key of nobody that we know of "))
	bad := []Problem{{Fault: Forged, Seq: 1}, {Fault: Missing, Seq: 1}, {Fault: Missing, Seq: 1}}
	for name, row := range map[string]struct {
		key    ed25519.PrivateKey
		change func(*record.Tombstone)
		harm   func(t *testing.T, a *Archive, d *Device)
		want   []Problem
	}{
		"of a stranger":     {key: stranger, want: bad},
		"of another device": {key: newKey, change: func(s *record.Tombstone) { s.Device = "garage" }, want: bad},
		"of another record": {key: newKey, change: func(s *record.Tombstone) { s.Record = s.Clip + s.Clip }, want: bad},
		"of another clip":   {key: newKey, change: func(s *record.Tombstone) { s.Clip = s.Record[:32] }, want: bad},
		"without a key":     {key: newKey, harm: func(t *testing.T, a *Archive, _ *Device) { os.Remove(ReceiptKeysPath(a.dir)) }, want: bad},
		"without any key":   {key: newKey, harm: func(t *testing.T, a *Archive, _ *Device) { putKeys(t, a) }, want: bad},
		"cut short": {key: newKey, harm: func(t *testing.T, _ *Archive, d *Device) { put(t, TombstonePath(d.dir, 1), []byte("ey")) },
			want: bad},
		"of no record": {key: newKey, harm: func(t *testing.T, _ *Archive, d *Device) { put(t, TombstonePath(d.dir, 7), []byte("ey")) },
			want: []Problem{{Fault: Stray}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := camera.New("porch")
			e := c.Clip([]byte("one"), []byte("d"))
			a := fill(t, c, e)
			putKeys(t, a, newKey)
			entomb(t, porch(t, a), row.key, e, row.change)
			if row.harm != nil {
				row.harm(t, a, porch(t, a))
			}
			if diff := cmp.Diff(row.want, report(t, a).Problems, cmpopts.IgnoreFields(Problem{}, "Clip", "Path", "Detail")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReceiptKeys(t *testing.T) {
	a := fill(t, camera.New("porch"))
	if _, err := a.ReceiptKeys(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none yet: %v", err)
	}
	putKeys(t, a, oldKey, newKey)
	if got, err := a.ReceiptKeys(); err != nil || len(got) != 2 || !got[1].Equal(newKey.Public()) {
		t.Errorf("keys %v, %v", got, err)
	}
	put(t, ReceiptKeysPath(a.dir), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}))
	if got, err := a.ReceiptKeys(); err == nil {
		t.Errorf("damaged file: %v", got)
	}
}
