// SPDX-License-Identifier: Apache-2.0

// Package store is the write side of a hub's store. [Open] it, [Store.Add] devices, then feed it what
// they send: [Store.Offer] a record, [Store.Write] the chunks of its bodies. A record is committed when
// its answer carries a receipt, and not before. Package archive documents the layout and reads it.
//
// A clip is committed in this order, and a cut between any two steps leaves a store that the next offer
// of the same record completes:
//
//  1. read both bodies back from incoming/ and compare their SHA-256 with the record
//  2. fsync each body
//  3. rename each body into clips/
//  4. fsync clips/
//  5. write the record beside the bodies' old place and fsync it
//  6. rename it into records/: now the clip is stored
//  7. fsync records/
//  8. remove incoming/<device>/<record hash>/
//  9. add the record to the index, which can be made anew from the files
//  10. sign the receipt
//
// Everything is idempotent: a record offered twice is stored once and receipted twice.
//
// Ahead of that, as soon as the details of a clip are here, they are compared with the record and fsynced,
// and the record is put beside them in incoming/: the owner sees the clip while its body is still on the
// camera. That is no commit, and nothing is receipted for it.
package store

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// Refusals. Any other error is the store's own trouble: the device should come back later.
var (
	// ErrMalformed says that a record does not verify, or is not the device's.
	ErrMalformed = errors.New("malformed record")
	// ErrFork says that a record contradicts the stored chain.
	ErrFork = errors.New("record contradicts the stored chain")
	// ErrSize says that a body is larger than the store takes, or a chunk than its body.
	ErrSize = errors.New("too large")
	// ErrHash says that the bytes received do not have the record's SHA-256. They are discarded.
	ErrHash = errors.New("body does not match its record")
	// ErrNotOffered says that a chunk came for a clip that has no open offer. A late duplicate does this.
	ErrNotOffered = errors.New("clip was not offered")
	// ErrInUse says that another hub has the store open.
	ErrInUse = errors.New("store is in use by another hub")
	// ErrOtherIdentity says that a device of that name exists with another identity.
	ErrOtherIdentity = errors.New("device name belongs to another identity")
)

// MaxDetailsBytes bounds the sealed details of a clip.
const MaxDetailsBytes = 8 << 20

const indexFile = "index.db"

// Config is what a store needs beside its folder.
type Config struct {
	Key          ed25519.PrivateKey // signs receipts
	MaxClipBytes int64              // largest sealed clip taken, in bytes
	MaxPartials  int                // begun clips kept per device, at least 1; the oldest gives way
	Log          *slog.Logger

	// What a device may have here of clips that have not begun: records with their details, and the details' bytes. The
	// oldest give way. 0 means 1,024 and 256 MiB.
	MaxArriving      int
	MaxArrivingBytes int64
}

// A Store is open in one process at a time. Its methods may be called from any goroutine; calls for one
// device wait for each other, calls for different devices do not.
type Store struct {
	dir     string
	cfg     Config
	archive *archive.Archive
	index   *index
	lock    *os.File
	disk    disk

	mu      sync.Mutex // guards devices, and serialises Add
	devices map[string]*device
}

// Open opens the store in dir, making what is missing, and clears up after a crash: unfinished clips
// stay to be resumed, finished ones lose their leftovers, an index that is missing, damaged or behind
// is made anew.
func Open(ctx context.Context, dir string, cfg Config) (*Store, error) {
	return open(ctx, dir, cfg, disk{})
}

func open(ctx context.Context, dir string, cfg Config, d disk) (_ *Store, err error) {
	for _, sub := range []string{archive.DeviceDir(dir, ""), archive.IncomingDir(dir, "")} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	s := &Store{dir: dir, cfg: cfg, disk: d, devices: map[string]*device{}}
	if s.archive, err = archive.Open(dir); err != nil {
		return nil, err
	}
	if s.lock, err = lock(dir); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.index, err = openIndex(filepath.Join(dir, indexFile)); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	s.reserve()
	return s, s.recover(ctx)
}

// Close releases the store. What was received of unfinished clips stays and is resumed.
func (s *Store) Close() error {
	var err error
	if s.index != nil {
		err = s.index.close()
	}
	return errors.Join(err, s.lock.Close())
}

// Archive is the read side of the store.
func (s *Store) Archive() *archive.Archive { return s.archive }

// lock takes the folder for this process. The lock goes with the process, so a crash leaves none.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// Add makes a device known, durably. Adding it again with the same identity changes nothing; with
// another identity the error wraps [ErrOtherIdentity], because the records that the store holds would
// no longer verify, also when that device was reset: its name is not given again. For a revoked device it wraps [ErrRevoked].
func (s *Store) Add(about archive.About) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, err := s.archive.Device(about.ID)
	if err == nil && !known.Identity.Equal(about.Identity) {
		return fmt.Errorf("add device %s: %w", about.ID, ErrOtherIdentity)
	}
	if _, yes := s.archive.Revoked(about.ID); yes {
		return fmt.Errorf("add device %s: %w", about.ID, ErrRevoked)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, archive.ErrNoDevice) {
		return fmt.Errorf("add device: %w", err)
	}
	b, err := about.Marshal()
	if err != nil {
		return fmt.Errorf("add device: %w", err)
	}
	dir := archive.DeviceDir(s.dir, about.ID)
	records, clips := filepath.Dir(archive.RecordPath(dir, 1)), filepath.Dir(archive.ClipPath(dir, ""))
	// device.json comes last: a device that has it has all of its folders.
	file := archive.AboutPath(dir)
	if err := errors.Join(s.disk.mkdir(records), s.disk.mkdir(clips), s.disk.syncDir(filepath.Dir(dir))); err != nil {
		return fmt.Errorf("add device %s: %w", about.ID, err)
	}
	if err := s.disk.replace(file, b); err != nil {
		return fmt.Errorf("add device %s: %w", about.ID, err)
	}
	return nil
}

// recover brings the store into the state that the rest of the package relies on.
func (s *Store) recover(ctx context.Context) error {
	devices, err := s.archive.Devices()
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	for _, d := range devices {
		// A record renamed before a crash may not be durable yet, and would be receipted now.
		dir := archive.DeviceDir(s.dir, d.ID)
		for _, names := range []string{archive.ClipPath(dir, ""), archive.RecordPath(dir, 1)} {
			if err := s.disk.syncDir(filepath.Dir(names)); err != nil {
				return fmt.Errorf("open store: %w", err)
			}
		}
		if err := s.reindex(ctx, d); err != nil {
			return fmt.Errorf("open store: %w", err)
		}
		if err := s.clearIncoming(ctx, d.ID); err != nil {
			return fmt.Errorf("open store: %w", err)
		}
	}
	return nil
}

// reindex makes the device's part of the index anew when it does not hold as many records as there are files.
func (s *Store) reindex(ctx context.Context, d *archive.Device) error {
	files, err := d.Count()
	if err != nil {
		return err
	}
	indexed, err := s.index.count(ctx, d.ID)
	if err != nil {
		return err
	}
	if files == indexed {
		return nil
	}
	s.cfg.Log.Info("index is made anew", "device", d.ID, "records", files, "indexed", indexed)
	return s.index.rebuild(ctx, d, s.cfg.Log)
}

// Rebuild makes the whole index anew from the record files.
func (s *Store) Rebuild(ctx context.Context) error {
	devices, err := s.archive.Devices()
	if err != nil {
		return fmt.Errorf("rebuild index: %w", err)
	}
	for _, d := range devices {
		if err := s.index.rebuild(ctx, d, s.cfg.Log); err != nil {
			return fmt.Errorf("rebuild index: %w", err)
		}
	}
	return nil
}

// clearIncoming removes what a crash between commit and clean-up left of a device's clips.
func (s *Store) clearIncoming(ctx context.Context, id string) error {
	entries, err := os.ReadDir(s.incoming(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		done, err := s.index.has(ctx, id, e.Name())
		if err == nil && done {
			err = s.disk.remove(filepath.Join(s.incoming(id), e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) incoming(id string) string { return archive.IncomingDir(s.dir, id) }

// hash is a record's name: the lower-case hexadecimal SHA-256 of its compact JWS.
func hash(jws []byte) string {
	h := record.Hash(jws)
	return hex.EncodeToString(h[:])
}
