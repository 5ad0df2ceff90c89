// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// linger is how long the agent goes on writing what is in memory after it was told to stop.
const linger = 10 * time.Second

// openSpool opens the spool and makes its buffer. A card that cannot be read keeps nobody from recording: the buffer's task tries
// again, and tells. Only another process that has the spool is an error.
func (s *sink) openSpool(dir, state string, cfg config.Spool, wait bool) error {
	s.spool = spool.New(dir, spool.Config{
		MaxBytes:    cfg.MaxBytes,
		Evicted:     func(e spool.Entry) spool.SignFunc { return s.lostNow(record.Evicted, e.ID, 0) },
		Expired:     func(e spool.Entry) bool { return s.expired(e, cfg.MaxAge) },
		Interrupted: func(id string) spool.SignFunc { return s.lostNow(record.Interrupted, id, 0) },
		Damaged:     func(id string) spool.SignFunc { return s.lostNow(record.Damaged, id, 0) },
		StoreLost:   func() spool.SignFunc { return s.lostNow(record.StoreLost, "", 0) },
		Reserve:     filepath.Join(keysDir(state), "reserved"),
	})
	s.buffer = spool.NewBuffer(s.spool, spool.BufferConfig{
		Memory: cfg.MemoryBytes, Wait: wait, Linger: linger, Trouble: s.trouble, Damage: s.damage,
		Lost: func(id string, n int) spool.SignFunc {
			if id != "" {
				n = 0 // one clip, of nobody knows how many frames
			}
			return s.lostNow(record.Storage, id, n)
		},
	})
	err := s.spool.Reopen()
	if errors.Is(err, spool.ErrLocked) {
		return err
	}
	if err != nil {
		s.log.Error("the card cannot be read: recording to memory until it can", "code", spool.TroubleError, "err", err)
		return nil
	}
	if err := s.spool.Aside(); err != nil {
		s.damage(err)
	}
	return nil
}

func (s *sink) damage(err error) {
	s.log.Error("the spool was damaged: what could not be read is declared lost", "code", "storage-damaged", "err", err)
}

// trouble tells of a card that begins to fail, or works again.
func (s *sink) trouble(t spool.Trouble) {
	status := s.buffer.Status()
	if t.Code == "" {
		s.log.Info("the card works again", "code", "storage-ok", "waiting", status.Items, "given_up", status.GivenUp)
		return
	}
	s.log.Error("the card fails: recording to memory; look at the card", "code", t.Code, "err", t.Err,
		"waiting", status.Items, "bytes", status.Bytes)
}

// expired tells whether a clip is older than age. It is asked with clocks that know the time only: a board that woke up in 1970, or
// in the year 2100, must not throw away what it recorded.
func (s *sink) expired(e spool.Entry, age time.Duration) bool {
	now := s.clock.Now()
	if age == 0 || now.Quality != clock.Synced {
		return false
	}
	r, err := record.Verify(s.identity.Public(), e.Record)
	return err == nil && r.Clip != nil && r.Clip.Quality == string(clock.Synced) && now.Time.Sub(r.Clip.Start) > age
}
