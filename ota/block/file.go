// SPDX-License-Identifier: Apache-2.0

//go:build linux

package block

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// File is a [Device] on a block device or a file of fixed size; it never grows. Close it.
type File struct {
	f      *os.File
	size   int64
	direct bool
	bounce []byte // aligned, for direct access
	failed atomic.Bool
}

// Open opens path for reading and writing through the kernel's cache. Sync drops what was written from that cache, so that the
// next reading comes from the medium: verifying would otherwise verify memory.
func Open(path string) (*File, error) { return open(path, 0) }

// OpenDirect opens path past the kernel's cache, each write on the medium when it returns: for the few sectors that a boot loader
// reads. A file system without direct access gets synchronous writes.
func OpenDirect(path string) (*File, error) {
	f, err := open(path, unix.O_DIRECT|unix.O_DSYNC)
	if errors.Is(err, unix.EINVAL) {
		return open(path, unix.O_DSYNC)
	}
	return f, err
}

const align = 4096 // of memory, offsets and lengths under O_DIRECT: no device asks for more

func open(path string, flags int) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, fmt.Errorf("open device: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd) // Stat gives no size of a block device
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("size of %s: %w", path, err)
	}
	d := &File{f: f, size: size, direct: flags&unix.O_DIRECT != 0}
	if d.direct {
		raw := make([]byte, 16*align+align)
		skip := int(-uintptr(unsafe.Pointer(&raw[0])) & (align - 1))
		d.bounce = raw[skip : skip+16*align]
	}
	return d, nil
}

// Size is in bytes, as it was when the file was opened.
func (d *File) Size() int64 { return d.size }

// Close closes the file; what was not synced may be lost.
func (d *File) Close() error { return d.f.Close() }

// ReadAt reads; see [io.ReaderAt].
func (d *File) ReadAt(p []byte, off int64) (int, error) {
	if !d.direct {
		return d.f.ReadAt(p, off)
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		skip := int(at % Sector)
		want := min(len(d.bounce), (skip+len(p)-n+Sector-1)/Sector*Sector)
		got, err := d.f.ReadAt(d.bounce[:want], at-int64(skip))
		if got > skip {
			n += copy(p[n:], d.bounce[skip:got])
		}
		if err != nil && n < len(p) {
			return n, err
		}
	}
	return n, nil
}

// WriteAt writes within the size; under [OpenDirect] whole sectors only.
func (d *File) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || int64(len(p)) > d.size-off {
		return 0, fmt.Errorf("write %d bytes at %d of %d: %w", len(p), off, d.size, ErrRange)
	}
	if !d.direct {
		return d.f.WriteAt(p, off)
	}
	if off%Sector != 0 || len(p)%Sector != 0 {
		return 0, fmt.Errorf("write %d bytes at %d: not whole sectors", len(p), off)
	}
	n := 0
	for n < len(p) {
		k := copy(d.bounce, p[n:])
		got, err := d.f.WriteAt(d.bounce[:k], off+int64(n))
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Sync has what was written on the medium. After it has failed once it always fails: the kernel reports a lost write a single
// time and then takes the page for clean, so a second Sync that succeeds says nothing. Open the device anew and write again.
func (d *File) Sync() error {
	if d.failed.Load() {
		return errors.New("sync: an earlier one failed; what was written may be lost")
	}
	if err := d.f.Sync(); err != nil {
		d.failed.Store(true)
		return err
	}
	if !d.direct {
		// Best effort: a file system that cannot drop its cache reads from it.
		_ = unix.Fadvise(int(d.f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	return nil
}
