// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSpool compares a committed clip with the least that any program does for it: one file, written and fsynced.
func BenchmarkSpool(b *testing.B) {
	const size, piece = 4 << 20, 64 << 10
	data := make([]byte, piece)
	b.Run("spool", func(b *testing.B) {
		s := mustOpen(b, b.TempDir(), Config{})
		b.SetBytes(size)
		for b.Loop() {
			d, err := s.Create("a")
			if err != nil {
				b.Fatal(err)
			}
			w, err := d.Part("clip")
			if err != nil {
				b.Fatal(err)
			}
			for range size / piece {
				if _, err := w.Write(data); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			e, err := d.Commit(fakeRecord("clip a"))
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer() // or the disk fills up
			if err := s.Remove(e.Seq, sha256.Sum256(e.Record)); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("write+fsync", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "clip")
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			for range size / piece {
				if _, err := f.Write(data); err != nil {
					b.Fatal(err)
				}
			}
			if err := errors.Join(f.Sync(), f.Close()); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := os.Remove(path); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}
