// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	reopen = 30 * time.Second // between attempts to open what is absent
	reread = time.Second      // an edge that got lost is known after this
	queued = 64               // edges that wait for who watches; more are lost, and the level is read
)

// Watch keeps an input open until ctx ends. seen is called with the level when it is opened, and with each change; state with why it
// cannot be opened, or nil when it can. Both are called by the goroutine that called Watch. A line that is absent is looked for again
// every 30 s; one that fails is opened again.
func Watch(ctx context.Context, b Board, w Wire, seen func(active bool), state func(error)) {
	for ctx.Err() == nil {
		err := watch(ctx, b, w, seen, state)
		if ctx.Err() != nil {
			return
		}
		state(err)
		select {
		case <-time.After(reopen):
		case <-ctx.Done():
		}
	}
}

// watch returns with why the input cannot be read any more, or was not opened.
func watch(ctx context.Context, b Board, w Wire, seen func(bool), state func(error)) error {
	edges := make(chan bool, queued)
	var lost atomic.Bool
	in, err := b.Input(w, func(active, some bool) {
		if some {
			lost.Store(true)
		}
		select {
		case edges <- active:
		default:
			lost.Store(true)
		}
	})
	if err != nil {
		return err
	}
	defer in.Close()
	now, err := in.Active()
	if err != nil {
		return err
	}
	state(nil)
	seen(now)
	tick := time.NewTicker(reread)
	defer tick.Stop()
	tell := func(active bool) {
		if active != now {
			now = active
			seen(now)
		}
	}
	for {
		select {
		case active := <-edges:
			tell(active)
			if len(edges) > 0 || !lost.Swap(false) {
				continue
			}
		case <-tick.C:
			if len(edges) > 0 {
				continue // they are older than what would be read
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		active, err := in.Active()
		if err != nil {
			return err
		}
		tell(active)
	}
}
