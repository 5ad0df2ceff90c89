// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"the first", "", "another"} {
		if err := Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	alone(t, dir, "file")
}

// What cannot be put in place leaves the old file, and nothing of the new.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.Mkdir(path, 0o700); err != nil { // no file takes a folder's place
		t.Fatal(err)
	}
	if err := Replace(path, []byte("text")); err == nil {
		t.Error("a folder was replaced")
	}
	alone(t, dir, "file")
	if err := Replace(filepath.Join(dir, "absent", "file"), nil); err == nil {
		t.Error("a folder was made")
	}
}

// alone wants one name in the folder.
func alone(t *testing.T, dir, name string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 || names[0].Name() != name {
		t.Errorf("the folder holds %v, %v", names, err)
	}
}
