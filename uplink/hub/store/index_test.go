// SPDX-License-Identifier: Apache-2.0

package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

func TestIndexIsMadeAnew(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) { os.Remove(path) },
		"no database": func(t *testing.T, path string) {
			if err := os.WriteFile(path, blob(8192, 1), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"behind":             func(t *testing.T, path string) { execute(t, path, "DELETE FROM records WHERE seq = 2") },
		"of another version": func(t *testing.T, path string) { execute(t, path, "PRAGMA user_version = 99") },
	} {
		t.Run(name, func(t *testing.T) {
			c := camera.New("porch")
			s := newStore(t, c)
			for range 3 {
				if _, err := send(t.Context(), s, c.Clip(blob(1500, 1), blob(20, 2)), false); err != nil {
					t.Fatal(err)
				}
			}
			all := func() []Row {
				rows, err := s.Clips(t.Context(), "porch", camera.Start, camera.Start.Add(time.Hour), 10)
				if err != nil {
					t.Fatal(err)
				}
				return rows
			}
			want := all()
			if len(want) != 3 || want[0].Bytes != 1520 || want[0].Duration != 10*time.Second || !want[0].Start.Equal(camera.Start) {
				t.Fatalf("index holds %+v", want)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			harm(t, filepath.Join(s.dir, indexFile))
			var err error
			if s, err = Open(t.Context(), s.dir, config(t)); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if diff := cmp.Diff(want, all()); diff != "" {
				t.Errorf("index after Open (-before +after):\n%s", diff)
			}
			if err := s.Rebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, all()); diff != "" {
				t.Errorf("index after Rebuild (-before +after):\n%s", diff)
			}
		})
	}
}

// execute changes the index of a closed store.
func execute(t *testing.T, path, query string) {
	t.Helper()
	ix, err := openIndex(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.close()
	if _, err := ix.db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func TestCheckIndex(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	for range 3 {
		if _, err := send(t.Context(), s, c.Clip(blob(15, 1), nil), false); err != nil {
			t.Fatal(err)
		}
	}
	if off, err := CheckIndex(t.Context(), s.dir); err != nil || len(off) > 0 { // beside the open store
		t.Errorf("sound index: %v, %v", off, err)
	}
	if _, err := s.index.db.Exec("DELETE FROM records WHERE seq = 2"); err != nil {
		t.Fatal(err)
	}
	if off, err := CheckIndex(t.Context(), s.dir); err != nil || off["porch"] != 1 {
		t.Errorf("index behind: %v, %v", off, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, indexFile), blob(8192, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if off, err := CheckIndex(t.Context(), s.dir); err == nil {
		t.Errorf("damaged index: %v", off)
	}
}
