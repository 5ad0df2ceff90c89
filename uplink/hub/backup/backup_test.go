// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

var (
	key = ed25519.NewKeyFromSeed(make([]byte, 32))
	now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
)

// A home is a hub's folder with a running store and a camera.
type home struct {
	dir   string
	store *store.Store
	cam   *camera.Camera
}

func newHome(t *testing.T, clips int) *home {
	t.Helper()
	h := &home{dir: t.TempDir(), cam: camera.New("porch")}
	for name, text := range map[string]string{"ca.key": "secret", "ca.crt": "cert", "tokens/aa.json": "open", "tokens/bb.used": "used"} {
		path := filepath.Join(h.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.store, err = store.Open(t.Context(), h.dir, store.Config{Key: key, MaxClipBytes: 1 << 20, MaxPartials: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	if err := h.store.Add(archive.About{ID: "porch", Identity: h.cam.Public(), Enrolled: camera.Start}); err != nil {
		t.Fatal(err)
	}
	for range clips {
		h.clip(t)
	}
	return h
}

func (h *home) clip(t *testing.T) {
	t.Helper()
	e := h.cam.Clip(bytes.Repeat([]byte{byte(h.cam.Seq)}, 3000), []byte("details"))
	_, err := h.store.Offer(t.Context(), "porch", e.JWS, false)
	for part, body := range [][]byte{e.Body, e.Details} {
		if err == nil {
			_, _, err = h.store.Write(t.Context(), "porch", e.ID(), store.Part(part), 0, body)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h *home) remove(t *testing.T, seq uint64) {
	t.Helper()
	d, err := h.store.Archive().Device("porch")
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Entry(seq)
	if err == nil {
		err = store.NewSexton(h.dir, key).Remove(d, e, record.ByOwner, now)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, dir string) archive.Report {
	t.Helper()
	a, err := archive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := a.Device("porch")
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, rel)
			if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 && !leftOut[rel] {
				t.Errorf("%s: %v, %v", rel, info.Mode(), err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestBackup(t *testing.T) {
	h := newHome(t, 3)
	h.remove(t, 1)
	if err := store.Revoke(h.dir, "porch", "stolen", now); err != nil {
		t.Fatal(err)
	}
	at := now.Add(-40 * 24 * time.Hour)
	root := archive.DeviceDir(h.dir, "porch")
	if err := os.Chtimes(archive.RecordPath(root, 2), at, at); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	made, err := Write(&b, h.dir, now)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new", "hub")
	if err := os.MkdirAll(dir, 0o700); err != nil { // an empty folder may be there
		t.Fatal(err)
	}
	got, err := Restore(bytes.NewReader(b.Bytes()), dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, got); diff != "" || got.Files != 14 {
		t.Errorf("manifest of %d files (-made +restored):\n%s", got.Files, diff)
	}
	want := slices.DeleteFunc(files(t, h.dir), func(name string) bool {
		return strings.HasPrefix(name, "index.db") || name == "reserve" || name == "tokens/aa.json"
	})
	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Errorf("files (-hub +restored):\n%s", diff)
	}
	if diff := cmp.Diff(verify(t, h.dir), verify(t, dir)); diff != "" {
		t.Errorf("verified (-hub +restored):\n%s", diff)
	}
	a, _ := archive.Open(dir)
	d, _ := a.Device("porch")
	if e, err := d.Entry(2); err != nil || !e.Stored.Equal(at) {
		t.Errorf("stored at %v, %v; want %v", e.Stored, err, at)
	}
	if _, yes := d.Revoked(); !yes {
		t.Error("the revocation is lost")
	}
	if _, err := Restore(bytes.NewReader(b.Bytes()), dir); !errors.Is(err, ErrExists) {
		t.Errorf("restored over a hub: %v", err)
	}
	// The restored store goes on where the other one was.
	s, err := store.Open(t.Context(), dir, store.Config{Key: key, MaxClipBytes: 1 << 20, MaxPartials: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if rows, err := s.Clips(t.Context(), "porch", camera.Start, now, 10); err != nil || len(rows) != 3 {
		t.Errorf("index made anew has %d clips, %v", len(rows), err)
	}
}

// during calls do once, in the middle of what is written through it.
type during struct {
	io.Writer
	when string // the name of the entry ahead of which it is called
	do   func()
}

func (d *during) Write(p []byte) (int, error) {
	if d.do != nil && bytes.Contains(p, []byte(d.when)) {
		do := d.do
		d.do = nil
		do()
	}
	return d.Writer.Write(p)
}

// busy backs up with write while the hub stores a clip and removes another, and returns what is wrong then.
func busy(t *testing.T, when string, write func(w io.Writer, dir string) error) []archive.Problem {
	t.Helper()
	h := newHome(t, 3)
	h.remove(t, 1)
	var b bytes.Buffer
	w := &during{Writer: &b, when: when, do: func() {
		h.clip(t)
		h.remove(t, 3)
	}}
	if err := write(w, h.dir); err != nil {
		t.Fatal(err)
	}
	if w.do != nil {
		t.Fatalf("the backup has no entry %s", when)
	}
	dir := filepath.Join(t.TempDir(), "hub")
	if _, err := Restore(&b, dir); err != nil {
		t.Fatal(err)
	}
	return verify(t, dir).Problems
}

var moments = []string{"records/00000001.jws", "records/00000003.jws", "tombstones/00000001.jws", "clips/", "device.json", "tokens/bb.used"}

func TestBackupOfABusyHub(t *testing.T) {
	for _, when := range moments {
		wrong := busy(t, when, func(w io.Writer, dir string) error { _, err := Write(w, dir, now); return err })
		if len(wrong) > 0 {
			t.Errorf("change ahead of %s: %v", when, wrong)
		}
	}
}

// Without the order, files are copied as they are found.
func TestBackupOfABusyHubMutant(t *testing.T) {
	for _, when := range moments {
		wrong := busy(t, when, func(w io.Writer, dir string) error {
			b := &writer{dir: dir, tar: tar.NewWriter(w), hash: sha256.New(), sum: Manifest{Version: version, Made: now}}
			return errors.Join(b.tree("", func(rel string) bool { return leftOut[rel] || strings.HasSuffix(rel, ".tmp") }), b.finish())
		})
		if len(wrong) > 0 {
			t.Logf("change ahead of %s: %v", when, wrong)
			return
		}
	}
	t.Error("a copy in any order is as good: TestBackupOfABusyHub proves nothing")
}

func TestRestoreRefuses(t *testing.T) {
	h := newHome(t, 1)
	var b bytes.Buffer
	if _, err := Write(&b, h.dir, now); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	flipped := bytes.Clone(whole)
	flipped[bytes.Index(whole, []byte("secret"))] ^= 1
	for name, text := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "flipped bit": flipped, "cut in a file": whole[:len(whole)/2],
		"cut before the manifest": whole[:bytes.LastIndex(whole, []byte(manifestName))-1024],
		"path out of the folder":  entry("../x", tar.TypeReg), "absolute path": entry("/tmp/x", tar.TypeReg), "link": entry("x", tar.TypeSymlink),
		"unclean path": entry("a//x", tar.TypeReg), "manifest alone": entry(manifestName, tar.TypeReg),
	} {
		parent := t.TempDir()
		if _, err := Restore(bytes.NewReader(text), filepath.Join(parent, "hub")); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if left := files(t, parent); len(left) > 0 {
			t.Errorf("%s: leaves %q", name, left)
		}
	}
	if _, err := Write(io.Discard, t.TempDir(), now); !errors.Is(err, archive.ErrNoStore) {
		t.Errorf("backup of no hub: %v", err)
	}
}

func entry(name string, kind byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Size: 0, Mode: 0o600})
	w.Close()
	return b.Bytes()
}

func FuzzRestore(f *testing.F) {
	f.Add(entry("../x", tar.TypeReg))
	f.Add(entry(manifestName, tar.TypeReg))
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, text []byte) {
		parent := t.TempDir()
		if _, err := Restore(bytes.NewReader(text), filepath.Join(parent, "hub")); err != nil && len(files(t, parent)) > 0 {
			t.Errorf("after %v there are files", err)
		}
	})
}
