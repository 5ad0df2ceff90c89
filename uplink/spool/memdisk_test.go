// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing/fstest"
)

// errCut is what every operation returns from the cut on.
var errCut = errors.New("the process ended")

// memDisk is a disk in memory that can lose power. What was not fsynced is lost or kept, each thing for itself and in part,
// as no real file system is bad enough to do: a file's content until Sync, a folder's changes until SyncDir. A rename is one
// change, durable when either of its folders is.
type memDisk struct {
	root    *node
	pending []change // of folders, not durable yet, in order
	left    int      // operations until the cut; negative for no cut
	ops     int      // operations so far
	sector  int      // what a write is torn by, in bytes; 0 for 512
}

type node struct {
	names   map[string]*node // of a folder, as it is seen; nil for a file
	durable map[string]*node // of a folder, after a power cut
	data    []byte           // of a file, as it is seen
	synced  []byte           // of a file, after a power cut
	dropped int              // bytes whose writing failed, so that no later Sync writes them
}

// change is a folder change: all of its settings or none.
type change []setting

// setting makes name in dir point to a node, or to nothing.
type setting struct {
	dir  *node
	name string
	to   *node
}

func newFolder() *node { return &node{names: map[string]*node{}, durable: map[string]*node{}} }

func newMemDisk() *memDisk { return &memDisk{root: newFolder(), left: -1} }

// step counts an operation, and fails it when it is behind the cut.
func (d *memDisk) step() error {
	if d.left == 0 {
		return errCut
	}
	d.left--
	d.ops++
	return nil
}

func (d *memDisk) find(path string) *node {
	n := d.root
	for _, name := range split(path) {
		if n = n.names[name]; n == nil {
			return nil
		}
	}
	return n
}

func split(path string) []string {
	if path = filepath.Clean(path); path == "/" {
		return nil
	}
	return append(split(filepath.Dir(path)), filepath.Base(path))
}

// folder finds the folder that a path is in.
func (d *memDisk) folder(path string) (*node, error) {
	n := d.find(filepath.Dir(path))
	if n == nil || n.names == nil {
		return nil, &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}
	}
	return n, nil
}

func (d *memDisk) change(c ...setting) {
	for _, s := range c {
		set(s.dir.names, s)
	}
	d.pending = append(d.pending, c)
}

func set(names map[string]*node, s setting) {
	if s.to == nil {
		delete(names, s.name)
	} else {
		names[s.name] = s.to
	}
}

func (d *memDisk) MkdirAll(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	n := d.root
	for _, name := range split(dir) {
		if n.names[name] == nil {
			d.change(setting{n, name, newFolder()})
		}
		n = n.names[name]
	}
	return nil
}

func (d *memDisk) Create(path string) (file, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	dir, err := d.folder(path)
	if err != nil {
		return nil, err
	}
	n := dir.names[filepath.Base(path)]
	if n == nil {
		n = &node{}
		d.change(setting{dir, filepath.Base(path), n})
	}
	n.data, n.dropped = nil, 0
	return &memFile{d, n}, nil
}

func (d *memDisk) Resume(path string, at int64) (file, error) {
	if at == 0 {
		return d.Create(path)
	}
	if err := d.step(); err != nil {
		return nil, err
	}
	n := d.find(path)
	if n == nil || int64(len(n.data)) < at {
		return nil, &fs.PathError{Op: "resume", Path: path, Err: fs.ErrNotExist}
	}
	n.data, n.dropped = slices.Clip(n.data[:at]), 0
	return &memFile{d, n}, nil
}

func (d *memDisk) ReadDir(path string) ([]fs.DirEntry, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	n := d.find(path)
	if n == nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	listing := fstest.MapFS{}
	for name := range n.names {
		listing[name] = &fstest.MapFile{}
	}
	return fs.ReadDir(listing, ".")
}

func (d *memDisk) ReadFile(path string, _ int64) ([]byte, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	n := d.find(path)
	if n == nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	return slices.Clone(n.data), nil
}

func (d *memDisk) Size(path string) (int64, error) {
	b, err := d.ReadFile(path, 0)
	return int64(len(b)), err
}

func (d *memDisk) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	source, err := d.folder(from)
	if err != nil {
		return err
	}
	target, err := d.folder(to)
	if err != nil {
		return err
	}
	n := source.names[filepath.Base(from)]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	d.change(setting{source, filepath.Base(from), nil}, setting{target, filepath.Base(to), n})
	return nil
}

func (d *memDisk) RemoveAll(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	dir, err := d.folder(path)
	if err != nil {
		return nil
	}
	d.removeAll(dir, filepath.Base(path))
	return nil
}

func (d *memDisk) removeAll(dir *node, name string) {
	n := dir.names[name]
	if n == nil {
		return
	}
	for _, child := range slices.Sorted(maps.Keys(n.names)) {
		d.removeAll(n, child)
	}
	d.change(setting{dir, name, nil})
}

func (d *memDisk) SyncDir(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	n := d.find(path)
	if n == nil {
		return &fs.PathError{Op: "sync", Path: path, Err: fs.ErrNotExist}
	}
	// From the last to the first: what a durable change was built on is durable, too.
	needed := map[setting]bool{}
	keep := make([]bool, len(d.pending))
	for i, c := range slices.Backward(d.pending) {
		keep[i] = slices.ContainsFunc(c, func(s setting) bool { return s.dir == n || needed[setting{s.dir, s.name, nil}] })
		for _, s := range c {
			if keep[i] {
				needed[setting{s.dir, s.name, nil}] = true
			}
		}
	}
	d.settle(func(i int) bool { return keep[i] })
	return nil
}

// settle makes the changes durable that keep says, and leaves the others pending.
func (d *memDisk) settle(keep func(int) bool) {
	var rest []change
	for i, c := range d.pending {
		if !keep(i) {
			rest = append(rest, c)
			continue
		}
		for _, s := range c {
			set(s.dir.durable, s)
		}
	}
	d.pending = rest
}

// used is how many bytes the files have.
func (n *node) used() int {
	sum := len(n.data)
	for _, child := range n.names {
		sum += child.used()
	}
	return sum
}

// lose is a power cut that leaves what is durable and nothing else.
func (d *memDisk) lose() {
	d.pending = nil
	d.root.lose()
	d.left = -1
}

func (n *node) lose() {
	if n.names == nil {
		n.data = n.synced
		return
	}
	n.names = maps.Clone(n.durable)
	for _, child := range n.names {
		child.lose()
	}
}

// powerCut leaves what is durable, and of the rest what chance keeps.
func (d *memDisk) powerCut(rng *rand.Rand) {
	d.settle(func(int) bool { return rng.IntN(2) == 0 })
	d.pending = nil
	d.root.afterCut(rng, cmp.Or(d.sector, 512))
	d.left = -1
}

func (n *node) afterCut(rng *rand.Rand, sector int) {
	if n.names == nil {
		switch written := max(0, len(n.data)-len(n.synced)); rng.IntN(3) {
		case 0: // nothing arrived since the last Sync
		case 1:
			n.synced = n.data
		case 2: // a torn write: the length of one moment, and of the bytes some sectors
			torn := append(slices.Clone(n.synced), make([]byte, rng.IntN(written+1))...)
			for at := 0; at < min(len(torn), len(n.data)); at += sector {
				if end := min(at+sector, len(torn), len(n.data)); rng.IntN(2) == 0 {
					copy(torn[at:end], n.data[at:end])
				}
			}
			n.synced = torn
		}
		n.data = n.synced
		return
	}
	n.names = maps.Clone(n.durable)
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		n.names[name].afterCut(rng, sector)
	}
}

type memFile struct {
	disk *memDisk
	node *node
}

func (f *memFile) Write(b []byte) (int, error) {
	if err := f.disk.step(); err != nil {
		return 0, err
	}
	f.node.data = append(slices.Clip(f.node.data), b...)
	return len(b), nil
}

func (f *memFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	f.node.synced = f.node.data
	return nil
}

func (f *memFile) Close() error { return nil }
