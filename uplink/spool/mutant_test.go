// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faults are the defences that a mutant lacks.
type faults struct {
	noSync, noSyncDir, noHead bool
	noNote                    bool
	noRenote                  bool // a note is not changed
	noteNoSync                bool // its folder is not fsynced then
	lateSync                  bool // files are fsynced after they were renamed
	lateQueue                 bool // the queue is fsynced after the head was written
}

// mutant is a disk with faults.
type mutant struct {
	disk
	faults
	late  []file // to be synced after the next Rename
	queue string // to be synced after the spool's folder
	noted string // a folder in which a note was changed
}

type mutantFile struct {
	file
	disk *mutant
}

func (f mutantFile) Sync() error {
	switch {
	case f.disk.noSync:
		return nil
	case f.disk.lateSync:
		f.disk.late = append(f.disk.late, f.file)
		return nil
	}
	return f.file.Sync()
}

func (m *mutant) Create(path string) (file, error) {
	if m.noNote && filepath.Base(path) == noteFile {
		path += "-ignored"
	}
	f, err := m.disk.Create(path)
	return mutantFile{f, m}, err
}

func (m *mutant) Resume(path string, at int64) (file, error) {
	if at == 0 {
		return m.Create(path)
	}
	f, err := m.disk.Resume(path, at)
	return mutantFile{f, m}, err
}

func (m *mutant) SyncDir(dir string) error {
	if m.noSyncDir || m.noteNoSync && dir == m.noted {
		m.noted = ""
		return nil
	}
	if m.lateQueue && filepath.Base(dir) == queueDir {
		m.queue = dir
		return nil
	}
	err := m.disk.SyncDir(dir)
	if m.queue != "" && err == nil && dir == cutDir {
		err = m.disk.SyncDir(m.queue)
		m.queue = ""
	}
	return err
}

func (m *mutant) Rename(from, to string) error {
	if filepath.Base(to) == noteFile {
		if m.noted = filepath.Dir(to); m.noRenote {
			return nil
		}
	}
	if m.noHead && filepath.Base(to) == headFile {
		return nil
	}
	err := m.disk.Rename(from, to)
	for _, f := range m.late {
		err = errors.Join(err, f.Sync())
	}
	m.late = nil
	return err
}

// TestMutantsOfPowerCut shows that the check above can fail.
func TestMutantsOfPowerCut(t *testing.T) {
	for name, f := range map[string]faults{
		"no fsync of files":   {noSync: true},
		"no fsync of folders": {noSyncDir: true},
		"no head":             {noHead: true},
		"rename before fsync": {lateSync: true},
		"head before queue":   {lateQueue: true},
		"note not kept":       {noNote: true},
		"note not changed":    {noRenote: true},
		"change not fsynced":  {noteNoSync: true},
	} {
		_, err := cutEverywhere(t, 4000, func(d disk) disk { return &mutant{disk: d, faults: f} }, powerCut)
		if err == nil {
			t.Errorf("%s: the check sees nothing", name)
		}
		t.Logf("%s: %v", name, err)
	}
}

// The scenario of TestBufferHeals sees when a defence is missing.
func TestMutantsOfHealing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mutate func(*faultDisk)
		op     string
		size   int
	}{
		{"a file's fsync is believed the second time", func(d *faultDisk) { d.trusting = true }, "sync clip", 20 << 10},
		{"a folder's fsync is believed the second time", func(d *faultDisk) { d.trusting = true }, "syncdir queue", 20 << 10},
		{"a rename is not made anew", func(d *faultDisk) { d.noRedo = true }, "syncdir queue", 20 << 10},
		{"a spilled file's name is not made anew", func(d *faultDisk) { d.noRedo = true }, "syncdir a", 700 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, BufferConfig{Memory: testMemory})
				r.heals(TroubleError, syscall.EIO, tt.op, tt.size, 0)
				r.judge()
			})
			synctest.Test(t, func(t *testing.T) {
				d := &faultDisk{memDisk: start(t)}
				tt.mutate(d)
				r := startRig(t, d, BufferConfig{Memory: testMemory})
				r.deaf = true // who believes has nothing to tell
				r.heals(TroubleError, syscall.EIO, tt.op, tt.size, 0)
				if len(r.wrong) == 0 {
					t.Error("the scenario sees nothing")
				}
				t.Log(r.wrong)
			})
		})
	}
}

// A recorder that waits for room is seen waiting.
func TestMutantThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, BufferConfig{Memory: testMemory, Wait: true})
		synctest.Wait()
		r.disk.set(func(op string) error {
			if op == "sync clip" {
				time.Sleep(5 * time.Second)
			}
			return nil
		})
		for i := range 5 {
			id := fmt.Sprint("c", i)
			if err := r.clip(id, body(id, 400<<10)); err != nil {
				t.Error(err)
			}
		}
		if len(r.wrong) == 0 {
			t.Error("nobody waited")
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}
