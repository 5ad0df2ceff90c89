// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// watch looks after the hub until ctx ends: what changes without any client saying so.
func (h *Hub) watch(ctx context.Context, f *front, st *store.Store) error {
	tick := time.NewTicker(h.pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.sweep(st.Archive())
		case <-ctx.Done():
			return nil
		}
	}
}
