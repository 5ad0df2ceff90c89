// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// disk is what the spool needs of a file system. Tests put one in its place that loses power.
type disk interface {
	MkdirAll(dir string) error
	Create(file string) (file, error)
	ReadDir(dir string) ([]fs.DirEntry, error)
	ReadFile(file string, most int64) ([]byte, error)
	Size(file string) (int64, error)
	Rename(from, to string) error
	RemoveAll(path string) error
	SyncDir(dir string) error
}

// file is a file being written.
type file interface {
	io.WriteCloser
	Sync() error
}

// osDisk is the real one.
type osDisk struct{}

var _ disk = osDisk{}

func (osDisk) MkdirAll(dir string) error                 { return os.MkdirAll(dir, 0o700) }
func (osDisk) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (osDisk) Rename(from, to string) error              { return os.Rename(from, to) }
func (osDisk) RemoveAll(path string) error               { return os.RemoveAll(path) }

func (osDisk) Create(name string) (file, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (osDisk) Size(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (osDisk) ReadFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = errors.New("file is too large")
	}
	return b, err
}

func (osDisk) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
