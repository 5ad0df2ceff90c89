// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// expectEvery is the time between two looks at who is enrolled, in paces.
const expectEvery = 10

// A watch looks after what changes without any client saying so: revocations, silent cameras, and what the
// hub tells about itself. It is one goroutine.
type watch struct {
	hub     *Hub
	front   *front
	store   *store.Store
	started time.Time
	before  time.Time            // when the hub before this one wrote its last status, zero for never
	heard   map[string]time.Time // last signs of life that the hub before this one knew
	failed  string               // what the log said last about a status that could not be written
}

func (h *Hub) newWatch(f *front, st *store.Store) *watch {
	w := &watch{hub: h, front: f, store: st, started: time.Now(), heard: map[string]time.Time{}}
	before, err := readStatus(h.cfg.Dir)
	if err != nil {
		h.log.Warn("last status cannot be read", "code", "status-unreadable", "err", err) // it is written anew
	}
	w.before = before.Updated
	for _, c := range before.Cameras {
		w.heard[c.Device] = c.Heard
	}
	w.expect()
	w.write(true) // ahead of the first connection: whoever knows that the hub is ready finds a status
	return w
}

// run looks once each pace until ctx ends. What is said last, when all connections have ended, is write(false).
func (w *watch) run(ctx context.Context) error {
	tick := time.NewTicker(w.hub.pace)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
			w.look(n)
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *watch) look(n int) {
	w.front.sweep(w.store.Archive())
	if n%expectEvery == 0 {
		w.expect()
	}
	for _, e := range w.hub.roster.Check(time.Now()) {
		log := w.hub.log.With("device", e.Device, "for", e.For.Round(time.Second), "connected", e.Connected)
		if e.Silent {
			log.Warn("camera is silent: see to its power and its network, and that it is still there", "code", "camera-silent", "heard", e.Heard)
		} else {
			log.Info("camera is back", "code", "camera-back")
		}
	}
	if n%statusEvery == 0 {
		w.write(true)
	}
}

// expect tells the roster who is enrolled and not revoked.
func (w *watch) expect() {
	devices, err := w.store.Archive().Devices()
	if err != nil {
		w.hub.log.Error("cameras cannot be listed", "code", "devices-unreadable", "err", err)
		return // those that are known stay watched
	}
	var ids []string
	for _, d := range devices {
		if _, revoked := d.Revoked(); !revoked {
			ids = append(ids, d.ID)
		}
	}
	w.hub.roster.Expect(ids, w.heard, time.Now())
}

func (w *watch) write(running bool) {
	s := Status{
		Running: running, PID: os.Getpid(), Addr: w.hub.addr.String(), Started: w.started.UTC(), Updated: time.Now().UTC(),
		Connections: len(w.front.slots), Cameras: w.hub.roster.Cameras(),
	}
	w.hub.tally.fill(&s)
	if w.hub.external != nil {
		s.Broker = w.hub.external.status()
	}
	s.Clips, s.Bytes = w.store.Stored()
	var err error
	if s.DiskFree, s.DiskTotal, err = DiskSpace(w.hub.cfg.Dir); err == nil {
		err = s.write(w.hub.cfg.Dir, w.hub.cfg.Metrics)
	}
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != "" && said != w.failed {
		w.hub.log.Log(context.Background(), slog.LevelWarn, "status cannot be written", "code", "status-failed", "err", err)
	}
	w.failed = said
}
