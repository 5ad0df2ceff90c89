// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// retainEvery is the time between two passes of the retention; the first one is at the start.
const retainEvery = time.Hour

// Sexton returns the one who removes clips by hand from the hub in dir, which may be running.
func Sexton(dir string) (*store.Sexton, error) {
	key, err := loadKey[ed25519.PrivateKey](filepath.Join(dir, "receipt.key"))
	if err != nil {
		return nil, err
	}
	return store.NewSexton(dir, key), nil
}

// retain applies the retention until ctx ends. It runs also without limits: it finishes removals that were cut.
func (h *Hub) retain(ctx context.Context, st *store.Store) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		done, err := st.Retain(ctx, h.cfg.Retention, time.Now())
		if done.Clips > 0 {
			h.log.Info("clips removed, with a tombstone each", "code", "clips-removed", "clips", done.Clips, "bytes", done.Bytes)
		}
		if err != nil && ctx.Err() == nil {
			h.log.Error("retention is not complete: the next pass tries again", "code", "retention-failed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
