// SPDX-License-Identifier: Apache-2.0

package block_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/nightjar-cam/nightjar/ota/block"
	"github.com/nightjar-cam/nightjar/ota/block/blocktest"
)

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)*7 + seed
	}
	return b
}

// devices are all kinds of device, each of 64 KiB.
func devices(t *testing.T) map[string]block.Device {
	open := func(how func(string) (*block.File, error)) block.Device {
		path := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(path, make([]byte, 64<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := how(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	part, err := block.Part(blocktest.New(128<<10), 4096, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]block.Device{"file": open(block.Open), "direct": open(block.OpenDirect), "memory": blocktest.New(64 << 10), "part": part}
}

func TestDevices(t *testing.T) {
	for name, d := range devices(t) {
		t.Run(name, func(t *testing.T) {
			if d.Size() != 64<<10 {
				t.Errorf("size is %d", d.Size())
			}
			want := pattern(20<<10, 3)
			if _, err := d.WriteAt(want, 1024); err != nil {
				t.Fatal(err)
			}
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want)-100)
			if _, err := d.ReadAt(got, 1024+77); err != nil || !bytes.Equal(got, want[77:77+len(got)]) {
				t.Errorf("read back something else (%v)", err)
			}
			if n, err := d.ReadAt(make([]byte, 1024), d.Size()-512); n != 512 || err != io.EOF {
				t.Errorf("reading over the end: %d, %v; want 512, EOF", n, err)
			}
			if _, err := d.WriteAt(make([]byte, 1024), d.Size()-512); !errors.Is(err, block.ErrRange) {
				t.Errorf("writing over the end: %v", err)
			}
			if err := block.WriteSector(d, pattern(512, 9), 8192); err != nil {
				t.Error(err)
			}
			if err := block.WriteSector(d, pattern(100, 9), 8192); err == nil {
				t.Error("a sector of 100 bytes was written")
			}
		})
	}
}

func TestPartRange(t *testing.T) {
	d := blocktest.New(4096)
	for _, c := range [][2]int64{{-1, 10}, {0, 4097}, {4096, 1}, {10, -1}, {1 << 62, 1 << 62}} {
		if _, err := block.Part(d, c[0], c[1]); !errors.Is(err, block.ErrRange) {
			t.Errorf("part %v: %v", c, err)
		}
	}
}

// forgetful returns other bytes than were written.
type forgetful struct{ block.Device }

func (f forgetful) WriteAt(p []byte, off int64) (int, error) { return len(p), nil }

func TestWriteSectorReadsBack(t *testing.T) {
	if err := block.WriteSector(forgetful{blocktest.New(4096)}, pattern(512, 1), 0); !errors.Is(err, block.ErrChanged) {
		t.Errorf("a card that forgets: %v", err)
	}
}

func TestPowerLoss(t *testing.T) {
	d := blocktest.New(4096)
	one, two := bytes.Repeat([]byte{1}, 512), bytes.Repeat([]byte{2}, 512)
	d.WriteAt(one, 0)
	d.Sync()
	d.WriteAt(two, 0)
	d.WriteAt(two, 512)
	d.WriteAt(two, 1024)
	d.PowerLoss(func(i int) bool { return i > 0 }, 100)
	m := d.Medium()
	if !bytes.Equal(m[:512], one) || !bytes.Equal(m[512:1024], two) {
		t.Error("the first write of the epoch was kept, or the second lost")
	}
	if m[1024] != 2 || m[1024+99] != 2 || m[1024+100] != 0 {
		t.Error("the last write is not torn behind 100 bytes")
	}
	d.CutAfter(1)
	if n, err := d.WriteAt(make([]byte, 1024), 0); n != 512 || !errors.Is(err, blocktest.ErrCut) {
		t.Errorf("write over the cut: %d, %v", n, err)
	}
	if err := d.Sync(); !errors.Is(err, blocktest.ErrCut) {
		t.Errorf("sync after the cut: %v", err)
	}
	if _, err := d.ReadAt(m, 0); !errors.Is(err, blocktest.ErrCut) {
		t.Errorf("read after the cut: %v", err)
	}
}

// A sync that failed loses what it should have kept, and never says otherwise later.
func TestFailedSync(t *testing.T) {
	d := blocktest.New(4096)
	d.Fail = func(op string, n int) error {
		if op == "sync" && n == 0 {
			return blocktest.ErrIO
		}
		return nil
	}
	d.WriteAt([]byte{1}, 0)
	if err := d.Sync(); !errors.Is(err, blocktest.ErrIO) {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if d.ReadAt(b, 0); b[0] != 0 {
		t.Error("the lost write is still read")
	}
}
