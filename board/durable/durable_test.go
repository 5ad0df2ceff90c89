// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// File and folder are synced, in that order, and a failure of either is one of Replace.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "count")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for fails, want := range map[int]string{1: "old", 2: "new", 0: "new"} {
		os.WriteFile(path, []byte("old"), 0o600)
		var synced []bool // whether it was a folder
		err := Replace(path, []byte("new"), func(f *os.File) error {
			info, _ := f.Stat()
			if synced = append(synced, info.IsDir()); len(synced) == fails {
				return errors.New("input/output error")
			}
			return nil
		})
		if (err != nil) != (fails > 0) {
			t.Errorf("sync %d fails: %v", fails, err)
		}
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("sync %d fails: the file has %q, want %q", fails, got, want)
		}
		if fails == 0 && (len(synced) != 2 || synced[0] || !synced[1]) {
			t.Errorf("synced folders: %v, want the file and then the folder", synced)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
			t.Errorf("sync %d fails: %d files left", fails, len(left))
		}
	}
}
