// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// window is the length of plaintext that must not be found anywhere but with the owner.
const window = 16

// A secret is a set of 16-byte windows of data that only the owner may hold.
type secret map[[window]byte]string

// add takes every window of data. Windows of few distinct bytes (padding, flat sky) stand in any file and prove nothing.
func (s secret) add(name string, data []byte) (added int) {
	for i := 0; i+window <= len(data); i++ {
		w := [window]byte(data[i:])
		if distinct(w) >= 8 {
			s[w] = name
			added++
		}
	}
	return added
}

func distinct(w [window]byte) (n int) {
	var seen [256]bool
	for _, b := range w {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}

// tags are byte strings that only a plain clip or picture carries: long enough that ciphertext does not show them by chance.
var tags = map[string][]byte{
	"MP4 ftyp box":      []byte("ftypiso"),
	"MP4 ftyp box, mp4": []byte("ftypmp4"),
	"MP4 fragment":      []byte("mfhd\x00\x00\x00\x00"),
	"MP4 track":         []byte("tkhd\x00\x00\x00"),
	"JFIF tag":          []byte("\xff\xd8\xff\xe0\x00\x10JFIF"),
	"EXIF tag":          []byte("Exif\x00\x00"),
	"JPEG tables":       []byte("\xff\xd8\xff\xdb\x00"),
}

// find names the first piece of plaintext in data, or returns "".
func (s secret) find(data []byte) string {
	for i := 0; i+window <= len(data); i++ {
		if name, ok := s[[window]byte(data[i:])]; ok {
			return fmt.Sprintf("16 bytes of %s at offset %d", name, i)
		}
	}
	for name, tag := range tags {
		if i := bytes.Index(data, tag); i >= 0 {
			return fmt.Sprintf("%s at offset %d", name, i)
		}
	}
	return ""
}

// findInTree looks through every file below dirs and returns what it found, by file, and how many bytes it read.
func (s secret) findInTree(t *testing.T, dirs ...string) (found []string, read int64) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			read += int64(len(data))
			if what := s.find(data); what != "" {
				found = append(found, path+": "+what)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found, read
}

// The mutant of the search: plaintext that someone did leave behind is found, at any alignment.
func TestPlaintextIsFound(t *testing.T) {
	clip := make([]byte, 4096)
	for i := range clip {
		clip[i] = byte(i*i>>3 ^ i)
	}
	s := secret{}
	if s.add("clip", clip) == 0 {
		t.Fatal("no window taken")
	}
	dir := t.TempDir()
	leak := append([]byte("some header, odd length"), clip[1000:1000+window]...)
	if err := os.WriteFile(filepath.Join(dir, "leak"), leak, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, _ := s.findInTree(t, dir); len(found) != 1 {
		t.Errorf("found %q, want the leak", found)
	}
	for name, tag := range tags {
		if s.find(append([]byte{0, 0, 0, 24}, tag...)) == "" {
			t.Errorf("%s is not found", name)
		}
	}
}
