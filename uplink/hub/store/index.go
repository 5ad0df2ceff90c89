// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", without cgo

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// schema is the index over all records. It answers what the files answer only slowly: which record
// carries a clip, and what lies between two times. It is derived data: every column comes from the
// record file, and a store without its index makes it anew. Times are milliseconds since 1970, UTC.
const schema = `
CREATE TABLE records (
	device   TEXT    NOT NULL,
	seq      INTEGER NOT NULL, -- from 1, as in the record
	hash     TEXT    NOT NULL, -- lower-hex SHA-256 of the compact JWS
	kind     TEXT    NOT NULL, -- clip | loss
	clip     TEXT,             -- clip id; NULL when the record carries none
	start    INTEGER NOT NULL, -- start of the clip, else the time of the record
	duration INTEGER NOT NULL, -- microseconds; 0 when the record carries no clip
	bytes    INTEGER NOT NULL, -- of the sealed clip and its details
	stored   INTEGER NOT NULL, -- when the hub committed it
	PRIMARY KEY (device, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX records_by_clip ON records (device, clip) WHERE clip IS NOT NULL;
CREATE INDEX records_by_hash ON records (device, hash);
CREATE INDEX records_by_start ON records (start);
PRAGMA user_version = 1;`

const schemaVersion = 1

// An index is the SQLite file. Its methods may be called from any goroutine.
type index struct {
	db           *sql.DB
	clips, bytes atomic.Int64 // added by put
}

// openIndex opens or makes the index. A file that is damaged or of another version is made anew, empty.
func openIndex(path string) (*index, error) {
	ix, err := tryIndex(path)
	if err == nil {
		return ix, nil
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.RemoveAll(path + suffix); err != nil {
			return nil, fmt.Errorf("replace index: %w", err)
		}
	}
	if ix, err = tryIndex(path); err != nil {
		return nil, fmt.Errorf("make index: %w", err)
	}
	return ix, nil
}

func tryIndex(path string) (_ *index, err error) {
	// The index may lag behind the files after a power cut (synchronous NORMAL); Open notices.
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	db.SetMaxOpenConns(1) // one writer, and SQLite has no use for more
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return nil, err
	}
	switch version {
	case 0:
		tx, err := db.Begin()
		if err != nil {
			return nil, err
		}
		defer tx.Rollback()
		if _, err := tx.Exec(schema); err != nil {
			return nil, err
		}
		if err := tx.Commit(); err != nil {
			return nil, err
		}
	case schemaVersion:
	default:
		return nil, fmt.Errorf("index has version %d", version)
	}
	// Reads the table's root and so finds a file that is no database behind its header.
	_, err = db.Exec("SELECT count(*) FROM records")
	return &index{db: db}, err
}

func (ix *index) close() error { return ix.db.Close() }

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// put adds a record, or leaves the equal one that is there.
func (ix *index) put(ctx context.Context, e archive.Entry) error {
	added, err := put(ctx, ix.db, e)
	if c := e.Record.Clip; err == nil && added && c != nil {
		ix.clips.Add(1)
		ix.bytes.Add(c.Body.Size + c.Details.Size)
	}
	return err
}

// Stored returns how many clips, and bytes of them, have been stored since the store was opened.
func (s *Store) Stored() (clips, bytes int64) { return s.index.clips.Load(), s.index.bytes.Load() }

func put(ctx context.Context, db execer, e archive.Entry) (added bool, err error) {
	r := e.Record
	start, clip, duration, bytes := r.Time, sql.NullString{}, int64(0), int64(0)
	if c := r.Clip; c != nil {
		start, clip = c.Start, sql.NullString{String: c.ID, Valid: true}
		duration, bytes = c.DurationUS, c.Body.Size+c.Details.Size
	}
	res, err := db.ExecContext(ctx, `INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (device, seq) DO NOTHING`,
		r.Device, int64(r.Seq), hash(e.JWS), string(r.Kind), clip, start.UnixMilli(), duration, bytes, e.Stored.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("index record %d of %s: %w", r.Seq, r.Device, err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// rebuild replaces the device's rows by what its record files say. Damaged records are left out.
func (ix *index) rebuild(ctx context.Context, d *archive.Device, log *slog.Logger) error {
	tx, err := ix.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `DELETE FROM records WHERE device = ?`, d.ID); err != nil {
		return err
	}
	for e, err := range d.Records() {
		if err == nil {
			_, err = put(ctx, tx, e)
		}
		if err != nil {
			log.Warn("record is not indexed", "code", "index-skipped", "device", d.ID, "seq", e.Seq, "err", err)
		}
	}
	return tx.Commit()
}

// count returns how many records of the device are indexed.
func (ix *index) count(ctx context.Context, device string) (n int, err error) {
	err = ix.db.QueryRowContext(ctx, `SELECT count(*) FROM records WHERE device = ?`, device).Scan(&n)
	return n, err
}

// has reports whether the record of that hash is indexed, which it is only once it is durable.
func (ix *index) has(ctx context.Context, device, hash string) (bool, error) {
	var n int
	err := ix.db.QueryRowContext(ctx, `SELECT count(*) FROM records WHERE device = ? AND hash = ?`, device, hash).Scan(&n)
	return n > 0, err
}

// owner returns the sequence number of the record that carries the clip, or 0.
func (ix *index) owner(ctx context.Context, device, clip string) (uint64, error) {
	var seq int64
	err := ix.db.QueryRowContext(ctx, `SELECT seq FROM records WHERE device = ? AND clip = ?`, device, clip).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return uint64(seq), err
}

// A Row is one clip as the index knows it.
type Row struct {
	Device   string
	Seq      uint64
	Clip     string // clip id
	Start    time.Time
	Duration time.Duration
	Bytes    int64 // of the sealed clip and its details
	Stored   time.Time
}

// Clips returns the clips of a device (all devices: "") that start in [from, to), by start, at most limit.
func (s *Store) Clips(ctx context.Context, device string, from, to time.Time, limit int) ([]Row, error) {
	rows, err := s.index.db.QueryContext(ctx, `SELECT device, seq, clip, start, duration, bytes, stored FROM records
		WHERE clip IS NOT NULL AND start >= ? AND start < ? AND (? = '' OR device = ?) ORDER BY start, device, seq LIMIT ?`,
		from.UnixMilli(), to.UnixMilli(), device, device, limit)
	if err != nil {
		return nil, fmt.Errorf("list clips: %w", err)
	}
	defer rows.Close()
	var all []Row
	for rows.Next() {
		var r Row
		var seq, start, duration, stored int64
		if err := rows.Scan(&r.Device, &seq, &r.Clip, &start, &duration, &r.Bytes, &stored); err != nil {
			return nil, fmt.Errorf("list clips: %w", err)
		}
		r.Seq, r.Duration = uint64(seq), time.Duration(duration)*time.Microsecond
		r.Start, r.Stored = time.UnixMilli(start).UTC(), time.UnixMilli(stored).UTC()
		all = append(all, r)
	}
	return all, rows.Err()
}

// CheckIndex compares the index of the store in dir with its files, beside a running hub, and returns by
// how many records it differs for each device that differs. A hub that is just storing differs by one.
func CheckIndex(ctx context.Context, dir string) (map[string]int, error) {
	a, err := archive.Open(dir)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(dir, indexFile))
	if err != nil {
		return nil, fmt.Errorf("check index: %w", err)
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("check index: %w", err)
	}
	defer db.Close()
	devices, err := a.Devices()
	if err != nil {
		return nil, fmt.Errorf("check index: %w", err)
	}
	off := map[string]int{}
	ix := &index{db: db}
	for _, d := range devices {
		files, err := d.Count()
		if err != nil {
			return nil, fmt.Errorf("check index: %w", err)
		}
		n, err := ix.count(ctx, d.ID)
		if err != nil {
			return nil, fmt.Errorf("check index: %w", err)
		}
		if n != files {
			off[d.ID] = files - n
		}
	}
	return off, nil
}
