// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
)

// disk is what the spool needs of a file system. Tests put one in its place that loses power.
type disk interface {
	MkdirAll(dir string) error
	Create(file string) (file, error)
	// Resume opens a file to write on from byte at, which is its end then. With at 0 it is Create; else the file has to be there
	// and have as many bytes, or the error is fs.ErrNotExist.
	Resume(file string, at int64) (file, error)
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

func (d osDisk) Resume(name string, at int64) (file, error) {
	if at == 0 {
		return d.Create(name)
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < at {
		err = fmt.Errorf("%s has %d of %d bytes: %w", name, info.Size(), at, fs.ErrNotExist)
	}
	if err == nil {
		err = f.Truncate(at)
	}
	if err == nil {
		_, err = f.Seek(at, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
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

// Wear is what the spool wrote since it was made, in numbers of the file system: a card writes more for each.
type Wear struct {
	Bytes int64 // written to files: clips, records, heads
	Syncs int64 // fsyncs of files and folders
}

// Wear may be called from any goroutine.
func (s *Spool) Wear() Wear {
	return Wear{s.disk.bytes.Load(), s.disk.syncs.Load()}
}

// meter counts what is written to a disk.
type meter struct {
	disk
	bytes, syncs atomic.Int64
}

type meteredFile struct {
	file
	meter *meter
}

func (m *meter) Create(name string) (file, error) { return m.metered(m.disk.Create(name)) }

func (m *meter) Resume(name string, at int64) (file, error) {
	return m.metered(m.disk.Resume(name, at))
}

func (m *meter) metered(f file, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return meteredFile{f, m}, nil
}

func (m *meter) SyncDir(dir string) error {
	m.syncs.Add(1)
	return m.disk.SyncDir(dir)
}

func (f meteredFile) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	f.meter.bytes.Add(int64(n))
	return n, err
}

func (f meteredFile) Sync() error {
	f.meter.syncs.Add(1)
	return f.file.Sync()
}
