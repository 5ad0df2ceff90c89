// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A card is a folder in a file system of its own, which can be made to fail as an SD card does.
type card struct {
	mu    sync.Mutex
	fault fault
	first time.Time // when the fault was first met
}

// A fault is what a card does instead of its work.
type fault struct {
	write, fsync, change syscall.Errno // change is of names: create, mkdir, rename, unlink
	slow                 time.Duration // an fsync takes
}

// set gives the card a fault; the zero value heals it.
func (c *card) set(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault, c.first = f, time.Time{}
}

// met returns the fault, and notes when it came into play.
func (c *card) met(of func(fault) bool) fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of(c.fault) && c.first.IsZero() {
		c.first = time.Now()
	}
	return c.fault
}

func (c *card) since() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first
}

func (c *card) writing() syscall.Errno {
	return c.met(func(f fault) bool { return f.write != 0 }).write
}
func (c *card) changing() syscall.Errno {
	return c.met(func(f fault) bool { return f.change != 0 }).change
}

// A node is a file or a folder of a card.
type node struct {
	*fs.LoopbackNode
	card *card
}

// A file is one that the loopback opened, but for its PassthroughFd: by that the kernel would write past us.
type file interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFsyncer
	fs.FileFlusher
	fs.FileReleaser
	fs.FileGetattrer
	fs.FileSetattrer
	fs.FileLseeker
}

type plain struct{ file }

var _ = (interface {
	fs.NodeWrapChilder
	fs.NodeOpener
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeRenamer
	fs.NodeUnlinker
})((*node)(nil))

func (n *node) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{ops.(*fs.LoopbackNode), n.card}
}

func (n *node) Write(ctx context.Context, f fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if e := n.card.writing(); e != 0 {
		return 0, e
	}
	return f.(fs.FileWriter).Write(ctx, data, off)
}

func (n *node) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	does := n.card.met(func(f fault) bool { return f.fsync != 0 || f.slow > 0 })
	time.Sleep(does.slow)
	if does.fsync != 0 {
		return does.fsync
	}
	if f, ok := f.(fs.FileFsyncer); ok { // a folder's handle is none
		return f.Fsync(ctx, flags)
	}
	return 0
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if e := n.card.changing(); e != 0 {
		return nil, nil, 0, e
	}
	inode, f, also, e := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if e != 0 {
		return nil, nil, 0, e
	}
	return inode, plain{f.(file)}, also, 0
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, also, e := n.LoopbackNode.Open(ctx, flags)
	if e != 0 {
		return nil, 0, e
	}
	return plain{f.(file)}, also, 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.card.changing(); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, to string, flags uint32) syscall.Errno {
	if e := n.card.changing(); e != 0 {
		return e
	}
	return n.LoopbackNode.Rename(ctx, name, parent, to, flags)
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if e := n.card.changing(); e == syscall.EROFS { // a full card lets go
		return e
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

// newCard mounts a card at the folder.
func newCard(t *testing.T, row *row, folder string) *card {
	t.Helper()
	below := t.TempDir()
	if err := errors.Join(os.Chmod(below, 0o700), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	c := &card{}
	loop, err := fs.NewLoopbackRoot(below)
	if err != nil {
		t.Fatal(err)
	}
	root := &node{loop.(*fs.LoopbackNode), c}
	root.RootData.RootNode = root
	server, err := fs.Mount(folder, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true, FsName: "card"}})
	if err != nil {
		row.notRun("FUSE does not mount here: %v", err)
	}
	t.Cleanup(func() {
		c.set(fault{})
		await(t, 10*time.Second, "the card to be unmounted", func() bool { return server.Unmount() == nil })
	})
	return c
}

var (
	fails = regexp.MustCompile(`(?m)^time=(\S+) level=\S+ msg=[^\n]* code=card-fails err=`)
	heals = regexp.MustCompile(`(?m)^time=\S+ level=INFO msg="over: [^\n]* code=card-fails `)
)

const (
	alert     = 5 * time.Second  // from the first call that the card fails to the agent's line in log, status and hub
	cardFails = 15 * time.Second // how long a card fails
)

// TestCard has a camera whose card fails for a while, and then does not.
func TestCard(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{
		"SD card full":             {write: syscall.ENOSPC, change: syscall.ENOSPC},
		"SD card, EIO of writes":   {write: syscall.EIO},
		"SD card, EIO of fsync":    {fsync: syscall.EIO},
		"SD card read-only":        {write: syscall.EROFS, change: syscall.EROFS},
		"SD card, fsync takes 5 s": {slow: 5 * time.Second},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			r := newRow(t, name, "alert <= 5 s, heals by itself, gap <= 2 frames, every clip")
			s := newHub(t, t.TempDir(), freeAddr(t))
			c := newCard(t, r, s.path(device))
			s.enroll(device, s.addr)
			// The status file lies in memory, as an installed agent's: it is no matter of the card.
			agent := s.startAgent(device, s.config(device, "run: "+t.TempDir()+"\n"+live), nil)
			receipts := func() int { return receipts(agent.Log()) }
			await(t, time.Minute, "a clip to be sent", func() bool { return receipts() > 0 })
			c.set(f)
			await(t, time.Minute, "the card to fail", func() bool { return !c.since().IsZero() })
			var said [][]string
			await(t, 4*alert, "the alert", func() bool { said = fails.FindAllStringSubmatch(agent.Log(), 1); return said != nil })
			at, err := time.Parse(time.RFC3339, said[0][1])
			if err != nil {
				t.Fatal(err)
			}
			took := at.Sub(c.since())
			time.Sleep(cardFails)
			before := receipts()
			c.set(fault{})
			await(t, time.Minute, "the trouble to be over, and clips to be sent", func() bool {
				if agent.Done() {
					t.Fatalf("the agent ended: %v\n%s", agent.Err, tail(agent.Log()))
				}
				return heals.MatchString(agent.Log()) && receipts() >= before+visits
			})
			agent.stop(t)
			gap := 0
			for _, clip := range s.clips() {
				gap = max(gap, clip.Dropped)
			}
			losses := strings.Count(agent.Log(), `msg="loss declared"`)
			s.drain(device)
			promised, wrong := s.verify(device)
			r.measured("alert after %.1f s, gap %d frames, %d of %d clips, %d losses", max(0, took.Seconds()), gap, promised-wrong, promised, losses)
			if took > alert {
				t.Errorf("the alert came %v after the card failed first", took)
			}
			if gap > maxGap || losses > 0 {
				t.Errorf("a clip lacks %d frames, %d losses were declared\n%s", gap, losses, tail(agent.Log()))
			}
		})
	}
}
