// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A recorder is a block device that remembers every write and every flush: one file in a file system of its own, under a loop
// device. From what it remembers it makes the disk as a power cut would have left it.
type recorder struct {
	fs.Inode
	mu   sync.Mutex
	now  []byte  // the disk
	base []byte  // the disk when recording began
	log  []write // since then
}

// A write is data at an offset; without data it is a flush.
type write struct {
	off  int64
	data []byte
}

const (
	diskBytes = 24 << 20
	sector    = 512
)

var _ = (interface {
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeGetattrer
	fs.NodeSetattrer
})((*recorder)(nil))

func (r *recorder) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0 // or the page cache would decide when a write comes
}

func (r *recorder) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fuse.ReadResultData(dest[:copy(dest, r.now[min(off, diskBytes):])]), 0
}

func (r *recorder) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off+int64(len(data)) > diskBytes {
		return 0, syscall.ENOSPC
	}
	copy(r.now[off:], data)
	if r.base != nil {
		r.log = append(r.log, write{off, append([]byte(nil), data...)})
	}
	return uint32(len(data)), 0
}

func (r *recorder) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.base != nil {
		r.log = append(r.log, write{})
	}
	return 0
}

func (r *recorder) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = syscall.S_IFREG|0o600, diskBytes
	return 0
}

func (r *recorder) Setattr(ctx context.Context, f fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return r.Getattr(ctx, f, out)
}

// at returns how far the record goes now.
func (r *recorder) at() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.log)
}

// begin starts the record with the disk as it is.
func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.base = append([]byte(nil), r.now...)
}

// counts returns the writes and flushes of the record.
func (r *recorder) counts() (writes, flushes int) {
	for _, w := range r.log {
		if w.data == nil {
			flushes++
		} else {
			writes++
		}
	}
	return writes, flushes
}

// cut returns the disk after a power cut behind the first n entries of the record: what was flushed is there, and of what came
// later each sector with even chance.
func (r *recorder) cut(n int, random *rand.Rand) []byte {
	disk := append([]byte(nil), r.base...)
	flushed := 0
	for i, w := range r.log[:n] {
		if w.data == nil {
			flushed = i
		}
	}
	for i, w := range r.log[:n] {
		for at := 0; at < len(w.data); at += sector {
			if i < flushed || random.IntN(2) == 0 {
				copy(disk[w.off+int64(at):], w.data[at:min(at+sector, len(w.data))])
			}
		}
	}
	return disk
}

// newDisk mounts ext4 on a recorder and returns the folder.
func newDisk(t *testing.T, row *row) (*recorder, string) {
	t.Helper()
	r := &recorder{now: make([]byte, diskBytes)}
	below, folder := t.TempDir(), t.TempDir()
	root := &fs.Inode{}
	server, err := fs.Mount(below, root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMount: true, FsName: "recorder"},
		OnAdd: func(ctx context.Context) {
			root.AddChild("disk", root.NewPersistentInode(ctx, r, fs.StableAttr{Mode: syscall.S_IFREG}), false)
		},
	})
	if err != nil {
		row.notRun("FUSE does not mount here: %v", err)
	}
	t.Cleanup(func() { // the loop device lets go of the file a little after its own unmount
		for range 100 {
			if err = server.Unmount(); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error("unmount the recorder:", err)
	})
	disk := filepath.Join(below, "disk")
	command(t, "mkfs.ext4", "-q", "-O", "^metadata_csum_seed", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk)
	if out, err := exec.Command("mount", "-t", "ext4", "-o", "loop,noatime", disk, folder).CombinedOutput(); err != nil {
		row.notRun("no ext4 on a loop device here: %v %s", err, out)
	}
	t.Cleanup(func() { unmount(t, folder) })
	return r, folder
}

// mounted mounts a disk image, has it looked at, and unmounts it; false when it does not mount.
func mounted(t *testing.T, disk []byte, look func(dir string)) bool {
	t.Helper()
	dir := t.TempDir()
	image, folder := filepath.Join(dir, "image"), filepath.Join(dir, "folder")
	if err := os.WriteFile(image, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(image)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if exec.Command("mount", "-t", "ext4", "-o", "loop,noatime", image, folder).Run() != nil {
		return false
	}
	defer unmount(t, folder)
	look(folder)
	return true
}

// unmount tries again for a while: a program that another test starts just now holds our descriptors between fork and exec.
func unmount(t *testing.T, folder string) {
	t.Helper()
	await(t, 10*time.Second, "umount "+folder, func() bool { return exec.Command("umount", folder).Run() == nil })
}
