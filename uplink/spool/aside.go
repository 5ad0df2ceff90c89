// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// What is kept aside for a person to look at.
const (
	maxAside      = 16
	maxAsideBytes = 64 << 20
)

// setAside moves a folder, or a file, out of the way, so that one thing that cannot be read holds up nothing else.
func (s *Spool) setAside(path string, why error) error {
	dir := filepath.Join(s.dir, asideDir)
	if err := s.disk.MkdirAll(dir); err != nil {
		return err
	}
	names, err := s.disk.ReadDir(dir) // sorted: oldest first
	if err != nil {
		return err
	}
	var next uint64 = 1
	for _, n := range names {
		number, _, _ := strings.Cut(n.Name(), "-")
		if seq, err := strconv.ParseUint(number, 10, 64); err == nil {
			next = max(next, seq+1)
		}
	}
	to := filepath.Join(dir, fmt.Sprintf("%020d-%s", next, filepath.Base(path)))
	if err := s.disk.Rename(path, to); err != nil {
		return fmt.Errorf("set %s aside: %w", path, err)
	}
	s.aside = append(s.aside, fmt.Errorf("%s cannot be read and was set aside as %s: %w", path, to, why))
	// The newest stays whatever its size.
	var size int64
	for i := len(names) - 1; i >= 0; i-- {
		old := filepath.Join(dir, names[i].Name())
		size += s.folderBytes(old)
		if len(names)-i < maxAside && size <= maxAsideBytes {
			continue
		}
		if err := s.disk.RemoveAll(old); err != nil {
			return err
		}
	}
	return s.disk.SyncDir(dir)
}

// folderBytes is the size of a folder's files together, as far as it can be read.
func (s *Spool) folderBytes(dir string) (n int64) {
	files, _ := s.disk.ReadDir(dir)
	for _, f := range files {
		size, _ := s.disk.Size(filepath.Join(dir, f.Name()))
		n += size
	}
	return n
}

// Aside tells what was set aside, or found damaged, when the spool was opened; nil when all was sound.
func (s *Spool) Aside() error {
	s.write.Lock()
	defer s.write.Unlock()
	return errors.Join(s.aside...)
}
